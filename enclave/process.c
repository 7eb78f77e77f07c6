/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process attributes over a move (process.h).  What the program changes is recorded when it does so
 * (sys_process.c, sys_limits.c); only the working directory and the file mode mask are read at the
 * stop.
 */
#include "enclave/process.h"

#include <asm/unistd.h>
#include <linux/prctl.h>

#include "enclave/sys_process.h"
#include "enclave/tables.h"

static struct process_state *state(void)
{
    return &g_tables->process;
}

/* The mask can only be read by setting it; no thread of the program runs now. */
static void capture_file_mask(void)
{
    long mask = host_syscall(__NR_umask, 077, 0, 0, 0, 0, 0);
    host_syscall(__NR_umask, (uint64_t)mask, 0, 0, 0, 0, 0);
    state()->file_mask = (uint32_t)mask;
}

long process_capture(void)
{
    capture_file_mask();
    if (g_tables->clock.moves == 0)
        state()->parent = (uint32_t)host_syscall(__NR_getppid, 0, 0, 0, 0, 0, 0);
    long length = host_syscall(__NR_getcwd, (uint64_t)(uintptr_t)state()->directory,
                               sizeof(state()->directory), 0, 0, 0, 0);
    if (length < 0)
        state()->directory[0] = '\0'; /* Removed, or out of reach: as it is for the program. */
    return 0;
}

static void restore_directory(void)
{
    const char *directory = state()->directory;
    long error = host_syscall(__NR_chdir, (uint64_t)(uintptr_t)directory, 0, 0, 0, 0, 0);
    if (directory[0] != '\0' && error != 0)
        log_error("working directory %s is not on this host (error %ld)", directory, -error);
}

static void restore_limits(void)
{
    for (uint32_t i = 0; i < PROCESS_LIMITS; i++) {
        if (!(state()->limits_set & 1U << i) || process_limit_is_virtual(i))
            continue;
        long error =
            host_syscall(__NR_prlimit64, 0, i, (uint64_t)(uintptr_t)&state()->limits[i], 0, 0, 0);
        if (error != 0)
            log_warn("limit %u cannot be set on this host (error %ld)", i, -error);
    }
}

static void restore_membarrier(void)
{
    for (uint32_t bit = 0; bit < 32; bit++)
        if (state()->membarrier & 1U << bit)
            host_syscall(__NR_membarrier, 1U << bit, 0, 0, 0, 0, 0);
}

void process_restore(void)
{
    host_syscall(__NR_umask, state()->file_mask, 0, 0, 0, 0, 0);
    restore_directory();
    restore_limits();
    restore_membarrier();
}

static long restore_ids(const struct process_ids *ids)
{
    const uint32_t *user = ids->user;
    const uint32_t *group = ids->group;
    /* A process that never had the right to change groups keeps those that it was started with. */
    (void)host_syscall(__NR_setgroups, ids->group_count, (uint64_t)(uintptr_t)ids->groups, 0, 0, 0,
                       0);
    long error = host_syscall(__NR_setresgid, group[0], group[1], group[2], 0, 0, 0);
    if (error == 0)
        error = host_syscall(__NR_setresuid, user[0], user[1], user[2], 0, 0, 0);
    return error;
}

long process_restore_thread(void)
{
    long error = state()->ids.changed ? restore_ids(&state()->ids) : 0;
    if (error == 0 && state()->switches & PROCESS_NO_NEW_PRIVILEGES)
        error = host_syscall(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    /* After the ids: changing them sets it anew. */
    if (error == 0 && state()->switches & PROCESS_NOT_DUMPABLE)
        error = host_syscall(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0, 0);
    return error;
}
