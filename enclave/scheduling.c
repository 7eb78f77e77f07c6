/* SPDX-License-Identifier: Apache-2.0 */
/* See scheduling.h; and the calls that set it, which the host carries out. */
#include "enclave/scheduling.h"

#include <asm/unistd.h>

#include "enclave/sys_process.h"
#include "enclave/syscall_table.h"
#include "enclave/tables.h"

void scheduling_changed(struct thread *caller, uint64_t tid)
{
    struct thread *thread = (uint32_t)tid == 0 ? caller : thread_find((uint32_t)tid);

    if (thread)
        thread->scheduling.set = 1;
}

static void capture(struct thread *thread)
{
    struct scheduling *scheduling = &thread->scheduling;
    long length = host_syscall(__NR_sched_getaffinity, thread->host_tid, sizeof(scheduling->cpus),
                               (uint64_t)scheduling->cpus, 0, 0, 0);

    scheduling->cpu_bytes = length > 0 ? (uint32_t)length : 0;
    if (host_syscall(__NR_sched_getattr, thread->host_tid, (uint64_t)&scheduling->attributes,
                     sizeof(scheduling->attributes), 0, 0, 0))
        scheduling->attributes.size = 0;
}

void scheduling_capture(void)
{
    uint32_t limit = g_tables->threads.slot_limit;

    for (uint32_t i = 0; i < limit; i++) {
        struct thread *thread = thread_slot(i);

        if (thread->scheduling.set && thread->host_tid != 0)
            capture(thread);
    }
}

void scheduling_restore(const struct thread *thread)
{
    const struct scheduling *scheduling = &thread->scheduling;

    if (!scheduling->set)
        return;
    if (scheduling->cpu_bytes && host_syscall(__NR_sched_setaffinity, 0, scheduling->cpu_bytes,
                                              (uint64_t)scheduling->cpus, 0, 0, 0))
        log_warn("thread %u: none of the processors that it was bound to is here", thread->tid);
    if (scheduling->attributes.size &&
        host_syscall(__NR_sched_setattr, 0, (uint64_t)&scheduling->attributes, 0, 0, 0, 0))
        log_warn("thread %u: its scheduling is refused here", thread->tid);
}

/* ---- the calls ---- */

static long set(struct call *call)
{
    uint64_t host_tid;
    long error = call_host_tid(call->args[0], &host_tid);

    if (!error)
        error = g_host.syscall(call->nr, host_tid, call->args[1], call->args[2], 0, 0, 0);
    if (error >= 0)
        scheduling_changed(call->thread, call->args[0]);
    return error;
}

long sys_sched_setaffinity(struct call *call)
{
    return set(call);
}

long sys_sched_setparam(struct call *call)
{
    return set(call);
}

long sys_sched_setscheduler(struct call *call)
{
    return set(call);
}

long sys_sched_setattr(struct call *call)
{
    return set(call);
}
