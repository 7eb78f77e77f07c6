/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that make, end, name and signal threads (sys_thread.c), as rows of syscalls.def name them.
 */
#pragma once

#include "enclave/syscall.h"

long sys_clone(struct call *call);
long sys_clone3(struct call *call);
long sys_fork(struct call *call);
long sys_vfork(struct call *call);
long sys_execve(struct call *call);
long sys_execveat(struct call *call);
long sys_exit(struct call *call);
long sys_exit_group(struct call *call);
long sys_set_tid_address(struct call *call);
long sys_set_robust_list(struct call *call);
long sys_get_robust_list(struct call *call);
long sys_gettid(struct call *call);
long sys_getpid(struct call *call);
long sys_kill(struct call *call);
long sys_tkill(struct call *call);
long sys_tgkill(struct call *call);
long sys_rt_sigqueueinfo(struct call *call);
long sys_rt_tgsigqueueinfo(struct call *call);
long sys_arch_prctl(struct call *call);
long sys_rseq(struct call *call);

/* For the first thread: ids of the program. */
void thread_table_create(uint32_t process_id);
