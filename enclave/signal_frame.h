/* SPDX-License-Identifier: Apache-2.0 */
/* Signal frames on the program's stack, as the kernel would lay them out. */
#pragma once

#include "enclave/signal.h"

/* Makes uc enter the handler, with a frame from which sys_rt_sigreturn comes back.  0 or -EFAULT.
 */
long signal_frame_push(struct thread *thread, struct ucontext *uc, const siginfo_t *info,
                       const struct kernel_sigaction *action);
