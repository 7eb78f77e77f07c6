/* SPDX-License-Identifier: Apache-2.0 */
/* Receive timeouts of sockets (SO_RCVTIMEO) that count on over a stop. */
#pragma once

#include "enclave/syscall.h"
#include "enclave/tables.h"

/* A socket of the program has one from now on. */
static inline void receive_timeout_used(void)
{
    __atomic_store_n(&g_tables->receive_timeouts, 1, __ATOMIC_RELAXED);
}

/* Before a blocking receive on call->args[0]: 0, go on; else the call's result. */
long receive_timeout_wait(struct call *call);
