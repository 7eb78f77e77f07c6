/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls about the process and its rights.  Process, group and session ids are the host's, but where
 * one is the host process's own, the program sees its virtual id.  User and group ids are changed
 * in the kernel and recorded, because a move must not give back rights that were given away.
 */
#include "enclave/sys_process.h"

#include <asm/unistd.h>
#include <linux/prctl.h>

#define OPTMIG_NUMBERS_ONLY
#include "enclave/hooks.h"
#include "enclave/process.h"
#include "enclave/scheduling.h"
#include "enclave/syscall_table.h"
#include "enclave/tables.h"
#include "include/optmig.h"

/* The call as it is, with its first two ids translated by the caller. */
static long pass(const struct call *call, uint64_t first, uint64_t second)
{
    return host_syscall(call->nr, first, second, call->args[2], call->args[3], call->args[4],
                        call->args[5]);
}

/* ---- process groups and sessions ---- */

static uint64_t host_process(uint64_t id)
{
    return (uint32_t)id == g_tables->threads.process_id ? g_facts.process_id : id;
}

static long program_process(long id)
{
    return id == (long)g_facts.process_id ? (long)g_tables->threads.process_id : id;
}

long sys_setpgid(struct call *call)
{
    return pass(call, host_process(call->args[0]), host_process(call->args[1]));
}

long sys_getpgid(struct call *call)
{
    return program_process(pass(call, host_process(call->args[0]), 0));
}

long sys_getpgrp(struct call *call)
{
    return program_process(pass(call, 0, 0));
}

long sys_setsid(struct call *call)
{
    return program_process(pass(call, 0, 0));
}

long sys_getsid(struct call *call)
{
    return program_process(pass(call, host_process(call->args[0]), 0));
}

/* At the destination it is another one's child, and cannot make anything of that. */
long sys_getppid(struct call *call)
{
    return g_tables->clock.moves == 0 ? pass(call, 0, 0) : (long)g_tables->process.parent;
}

/* ---- priorities ---- */

enum { WHICH_PROCESS, WHICH_GROUP };

/* `first` is what `who` means process in; the next number means group. */
static long priority_call(const struct call *call, uint64_t first)
{
    uint64_t which = (uint32_t)call->args[0] - first;
    uint64_t who = call->args[1];
    long error = 0;
    if (which == WHICH_PROCESS)
        error = call_host_tid(who, &who);
    else if (which == WHICH_GROUP)
        who = host_process(who);
    return error != 0 ? error : pass(call, call->args[0], who);
}

long sys_getpriority(struct call *call)
{
    return priority_call(call, 0);
}

long sys_setpriority(struct call *call)
{
    long result = priority_call(call, 0);
    if (result == 0 && (uint32_t)call->args[0] == WHICH_PROCESS)
        scheduling_changed(call->thread, call->args[1]);
    return result;
}

long sys_ioprio_get(struct call *call)
{
    return priority_call(call, 1);
}

long sys_ioprio_set(struct call *call)
{
    return priority_call(call, 1);
}

/* ---- user and group ids ---- */

static void record_ids(struct process_ids *ids)
{
    uint32_t *user = ids->user;
    uint32_t *group = ids->group;
    host_syscall(__NR_getresuid, (uint64_t)(uintptr_t)&user[0], (uint64_t)(uintptr_t)&user[1],
                 (uint64_t)(uintptr_t)&user[2], 0, 0, 0);
    host_syscall(__NR_getresgid, (uint64_t)(uintptr_t)&group[0], (uint64_t)(uintptr_t)&group[1],
                 (uint64_t)(uintptr_t)&group[2], 0, 0, 0);
    long count = host_syscall(__NR_getgroups, PROCESS_GROUPS_MAX, (uint64_t)(uintptr_t)ids->groups,
                              0, 0, 0, 0);
    if (count < 0)
        log_warn("more than %d supplementary groups: they do not move", PROCESS_GROUPS_MAX);
    ids->group_count = count < 0 ? 0 : (uint32_t)count;
    ids->changed = true;
}

/* Does the call on this thread, as the kernel has it, and records what came of it. */
static long change_ids(struct call *call)
{
    long result = pass(call, call->args[0], call->args[1]);
    if (result < 0)
        return result;
    lock_take(&g_tables->process.lock);
    record_ids(&g_tables->process.ids);
    lock_release(&g_tables->process.lock);
    return result;
}

long sys_setuid(struct call *call)
{
    return change_ids(call);
}

long sys_setgid(struct call *call)
{
    return change_ids(call);
}

long sys_setreuid(struct call *call)
{
    return change_ids(call);
}

long sys_setregid(struct call *call)
{
    return change_ids(call);
}

long sys_setresuid(struct call *call)
{
    return change_ids(call);
}

long sys_setresgid(struct call *call)
{
    return change_ids(call);
}

long sys_setgroups(struct call *call)
{
    return change_ids(call);
}

/* These follow the effective ids, which is what the destination gives them. */
long sys_setfsuid(struct call *call)
{
    return pass(call, call->args[0], 0);
}

long sys_setfsgid(struct call *call)
{
    return pass(call, call->args[0], 0);
}

/* ---- capabilities ---- */

/* As the kernel takes it. */
struct capability_header {
    uint32_t version;
    uint32_t pid;
};

static long capability_call(const struct call *call)
{
    struct capability_header header;
    uint64_t host_tid;
    if (copy_from_program(&header, call->args[0], sizeof(header)) != 0)
        return -EFAULT;
    long result = call_host_tid(header.pid, &host_tid);
    if (result != 0)
        return result;
    header.pid = (uint32_t)host_tid;
    result = host_syscall(call->nr, (uint64_t)(uintptr_t)&header, call->args[1], 0, 0, 0, 0);
    /* The kernel answers a version that it does not know with its own. */
    if (copy_to_program(call->args[0], &header.version, sizeof(header.version)) != 0)
        return -EFAULT;
    return result;
}

long sys_capget(struct call *call)
{
    return capability_call(call);
}

long sys_capset(struct call *call)
{
    return capability_call(call);
}

/* ---- membarrier ---- */

long sys_membarrier(struct call *call)
{
    const uint64_t registering = 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8; /* MEMBARRIER_CMD_REGISTER_* */
    long result = pass(call, call->args[0], call->args[1]);
    if (result == 0 && call->args[0] & registering)
        __atomic_fetch_or(&g_tables->process.membarrier, (uint32_t)call->args[0], __ATOMIC_RELAXED);
    return result;
}

/* ---- prctl ---- */

static long set_name(struct call *call)
{
    char name[sizeof(call->thread->name)] = {0};
    long error = copy_string_from_program(name, call->args[1], sizeof(name));
    if (error == -EFAULT)
        return error;
    name[sizeof(name) - 1] = '\0'; /* The kernel cuts it off too. */
    memcpy(call->thread->name, name, sizeof(name));
    return pass(call, call->args[0], (uint64_t)(uintptr_t)name);
}

/* A thread that has not named itself has the executable's name; the kernel would say the host's. */
static long get_name(struct call *call)
{
    char name[sizeof(call->thread->name)] = {0};
    const char *from = call->thread->name;
    if (from[0] == '\0') {
        from = g_tables->exe_path;
        for (const char *at = from; *at != '\0'; at++)
            if (*at == '/')
                from = at + 1;
    }
    str_copy(name, from, sizeof(name));
    return copy_to_program(call->args[1], name, sizeof(name));
}

/* Answers an int through a pointer: into the runtime first. */
static long get_int(struct call *call)
{
    int32_t value = 0;
    long error = pass(call, call->args[0], (uint64_t)(uintptr_t)&value);
    return error != 0 ? error : copy_to_program(call->args[1], &value, sizeof(value));
}

static void set_switch(enum process_switch bit, bool on)
{
    if (on)
        __atomic_fetch_or(&g_tables->process.switches, (uint32_t)bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&g_tables->process.switches, ~(uint32_t)bit, __ATOMIC_RELAXED);
}

static long set_and_record(struct call *call)
{
    long error = pass(call, call->args[0], call->args[1]);
    if (error == 0 && call->args[0] == PR_SET_DUMPABLE)
        set_switch(PROCESS_NOT_DUMPABLE, call->args[1] == 0);
    if (error == 0 && call->args[0] == PR_SET_NO_NEW_PRIVS)
        set_switch(PROCESS_NO_NEW_PRIVILEGES, true);
    return error;
}

long sys_prctl(struct call *call)
{
    switch ((int)call->args[0]) {
    case PR_SET_NAME:
        return set_name(call);
    case PR_GET_NAME:
        return get_name(call);
    case PR_GET_PDEATHSIG:
    case PR_GET_CHILD_SUBREAPER:
    case PR_GET_TSC:
        return get_int(call);
    case PR_SET_DUMPABLE:
    case PR_SET_NO_NEW_PRIVS:
        return set_and_record(call);
    case PR_SET_PDEATHSIG:
    case PR_GET_DUMPABLE:
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_SET_TIMERSLACK:
    case PR_GET_TIMERSLACK:
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_NO_NEW_PRIVS:
    case PR_GET_THP_DISABLE:
    case PR_CAP_AMBIENT:
    case PR_GET_SECCOMP:
    case PR_GET_SPECULATION_CTRL:
    case PR_SET_PTRACER:
        return pass(call, call->args[0], call->args[1]);
    case OPTMIG_PRCTL:
        return hooks_prctl(call);
    default:
        return -EINVAL; /* What the runtime uses itself, and what older kernels do not know. */
    }
}
