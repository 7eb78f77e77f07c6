/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "enclave/syscall.h"

/* FUTEX_LOCK_PI, _LOCK_PI2, _TRYLOCK_PI, _UNLOCK_PI; ENOSYS for the requeueing ones.  On a thread
 * of the program. */
long futex_pi(struct call *call);

/* Such a lock never gives EINTR: it is made again after a handler. */
bool futex_pi_is_lock(const struct call *call);
