/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource limits.  Those on memory and descriptors are a view of the program's (process.h); the
 * others are set in the kernel too, and recorded so that they can be set again at the destination.
 */
#include <asm/resource.h>
#include <asm/unistd.h>

#include "enclave/process.h"
#include "enclave/sys_process.h"
#include "enclave/syscall_table.h"
#include "enclave/tables.h"

_Static_assert(RLIM_NLIMITS == PROCESS_LIMITS, "as many as the kernel has");

bool process_limit_is_virtual(uint32_t resource)
{
    switch (resource) {
    case RLIMIT_NOFILE:
    case RLIMIT_AS:
    case RLIMIT_DATA:
    case RLIMIT_STACK:
    case RLIMIT_RSS:
    case RLIMIT_MEMLOCK:
        return true;
    default:
        return false;
    }
}

static long limit_of_host(uint32_t resource, struct process_limit *out)
{
    return host_syscall(__NR_prlimit64, 0, resource, 0, (uint64_t)(uintptr_t)out, 0, 0);
}

/* What the program sees; call with the lock held. */
static long limit_get(uint32_t resource, struct process_limit *out)
{
    const struct process_state *process = &g_tables->process;
    if (process->limits_set & 1U << resource) {
        *out = process->limits[resource];
        return 0;
    }
    if (resource == RLIMIT_NOFILE) {
        *out = (struct process_limit){g_facts.nofile_soft, g_facts.host_fd_base};
        return 0;
    }
    return limit_of_host(resource, out);
}

/* The kernel's rules: the soft limit is at most the hard one, and only the privileged raise that.
 * Nobody gets descriptors that are the host's. */
static long limit_allowed(uint32_t resource, const struct process_limit *wanted)
{
    struct process_limit old;
    if (wanted->soft > wanted->hard)
        return -EINVAL;
    if (resource == RLIMIT_NOFILE && wanted->hard > g_facts.host_fd_base)
        return -EPERM;
    long error = limit_get(resource, &old);
    if (error == 0 && wanted->hard > old.hard && !g_facts.privileged)
        error = -EPERM;
    return error;
}

static long limit_set(uint32_t resource, const struct process_limit *wanted)
{
    struct process_state *process = &g_tables->process;
    long error;
    if (process_limit_is_virtual(resource))
        error = limit_allowed(resource, wanted);
    else
        error = host_syscall(__NR_prlimit64, 0, resource, (uint64_t)(uintptr_t)wanted, 0, 0, 0);
    if (error != 0)
        return error;
    process->limits[resource] = *wanted;
    process->limits_set |= 1U << resource;
    return 0;
}

/* Reads the old limit and sets a new one; either address may be 0. */
static long limit_change(uint64_t resource, uint64_t new_address, uint64_t old_address)
{
    struct process_limit wanted;
    struct process_limit old;
    if ((uint32_t)resource >= PROCESS_LIMITS)
        return -EINVAL;
    if (new_address != 0 && copy_from_program(&wanted, new_address, sizeof(wanted)) != 0)
        return -EFAULT;
    lock_take(&g_tables->process.lock);
    long error = limit_get((uint32_t)resource, &old);
    if (error == 0 && new_address != 0)
        error = limit_set((uint32_t)resource, &wanted);
    lock_release(&g_tables->process.lock);
    if (error == 0 && old_address != 0)
        error = copy_to_program(old_address, &old, sizeof(old));
    return error;
}

long sys_getrlimit(struct call *call)
{
    return call->args[1] == 0 ? -EFAULT : limit_change(call->args[0], 0, call->args[1]);
}

long sys_setrlimit(struct call *call)
{
    return call->args[1] == 0 ? -EFAULT : limit_change(call->args[0], call->args[1], 0);
}

long sys_prlimit64(struct call *call)
{
    uint64_t host_tid;
    long error = call_host_tid(call->args[0], &host_tid);
    if (error != 0)
        return error; /* Another process, and an enclave is one. */
    return limit_change(call->args[1], call->args[2], call->args[3]);
}
