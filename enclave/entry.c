/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECALLs.  entry.S has changed to a stack in local memory; the argument is host memory and is
 * copied in before it is looked at.  The host may call in any order and on many threads at once;
 * what would make two programs out of one is refused (enum life).
 */
#include "enclave/entry.h"

#include <asm/unistd.h>

#include "enclave/attestation.h"
#include "enclave/clock.h"
#include "enclave/fd.h"
#include "enclave/host_result.h"
#include "enclave/mm.h"
#include "enclave/move.h"
#include "enclave/start_copy.h"
#include "enclave/sys_thread.h"
#include "enclave/syscall.h"
#include "enclave/tables.h"

struct host_calls g_host;
struct host_facts g_facts;
struct gate_addresses g_gate;
void (*g_host_sigreturn)(void *frame);

/* What this enclave is, once and in this order; only a move out that fails leads back. */
enum life {
    LIFE_NONE,
    LIFE_EMPTY, /* created: may be started or received, once */
    LIFE_BUSY,  /* an ECALL is at work on it */
    LIFE_RUNS,  /* the program is here */
    LIFE_ENDED, /* moved away, lost, or never came: no program runs here again */
};
static uint32_t g_life;

/* LIFE_BUSY, if it was what this ECALL needs. */
static bool life_take(enum life needed)
{
    uint32_t expected = needed;

    return __atomic_compare_exchange_n(&g_life, &expected, LIFE_BUSY, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static void life_become(enum life life)
{
    __atomic_store_n(&g_life, life, __ATOMIC_SEQ_CST);
}

static void name_copy(char *to, const char *from, size_t capacity)
{
    memcpy(to, from, capacity);
    to[capacity - 1] = 0;
}

static long create(const struct ecall_create *untrusted)
{
    struct ecall_create arg = *untrusted;

    if (arg.version != OM_BOUNDARY_VERSION || !is_of_host(arg.calls, sizeof(*arg.calls)))
        return -EINVAL;
    if (!life_take(LIFE_NONE))
        return -EPERM;
    g_host = *arg.calls;
    host_results_check(&g_host);
    g_host_sigreturn = g_host.sigreturn;
    g_facts = (struct host_facts){
        .host_fd_base = arg.host_fd_base,
        .nofile_soft = arg.nofile_soft,
        .process_id = arg.process_id,
        .log_fd = arg.log_fd,
        .log_level = arg.log_level,
        .privileged = arg.privileged,
        .quiet = arg.quiet,
        .logged = arg.logged,
        .platform = (uint8_t)arg.platform,
        .has_fsgsbase = arg.has_fsgsbase != 0,
    };
    memcpy(g_facts.measurement, arg.measurement, 32);
    name_copy(g_facts.name, arg.name, sizeof(g_facts.name));
    g_gate = (struct gate_addresses){
        .blocking_begin = arg.blocking_begin,
        .blocking_end = arg.blocking_end,
        .blocking_cancel = arg.blocking_cancel,
        .sigreturn_begin = arg.sigreturn_begin,
        .sigreturn_end = arg.sigreturn_end,
        .restorer = arg.restorer,
    };
    g_tables->version = TABLES_VERSION;
    name_copy(g_tables->name, arg.name, sizeof(g_tables->name));
    thread_table_create(arg.process_id);
    mm_create();
    if (arg.bundle_length && attestation_pin(arg.bundle, arg.bundle_length))
        return -EINVAL; /* LIFE_BUSY: nothing can be done with it any more. */
    life_become(LIFE_EMPTY);
    return 0;
}

static void remember_command(const struct ecall_start *start)
{
    size_t used = 0;

    for (int i = 0; start->argv[i] && used < sizeof(g_tables->command) - 2; i++) {
        if (i)
            g_tables->command[used++] = ' ';
        used += OM_MIN(
            str_copy(g_tables->command + used, start->argv[i], sizeof(g_tables->command) - used),
            sizeof(g_tables->command) - 1 - used);
    }
    g_tables->command[used] = 0;
}

static long start(struct ecall_start *start)
{
    long result;
    struct program program = {start->path, start->argv, start->envp, start->tracker};
    struct thread *first = thread_allocate();

    first->cpu.sigmask = start->sigmask;
    first->tid = g_tables->threads.process_id;
    remember_command(start);
    g_tables->barrier.tracker = OM_MIN(program.tracker, (uint32_t)OM_TRACKER_BARRIER);
    g_tables->barrier.audit = start->audit != 0;
    g_tables->fast_calls = !start->slow_calls;
    fd_table_create();
    signal_state_create();
    result = fd_services_begin(start->services, start->service_count, start->reason,
                               sizeof(start->reason));
    if (result)
        return result;
    result = loader_load(&program, first, start->reason, sizeof(start->reason));
    if (result)
        return result;
    first->faults_blocked = start->sigmask & SIGNALS_OF_FAULTS;
    first->cpu.sigmask = start->sigmask & ~SIGNALS_KEPT;
    signal_install_all();
    result = thread_launch(first);
    if (result)
        str_format(start->reason, sizeof(start->reason), "cannot make the first thread: error %ld",
                   -result);
    return result;
}

static void start_once(struct ecall_start *untrusted)
{
    static struct ecall_start order;
    long result;

    if (!life_take(LIFE_EMPTY)) {
        untrusted->result = -EPERM;
        return;
    }
    result = start_copy(untrusted, &order);
    if (!result)
        result = start(&order);
    life_become(result ? LIFE_ENDED : LIFE_RUNS);
    memcpy(untrusted->reason, order.reason, sizeof(order.reason));
    untrusted->result = result;
}

static void refuse_move(struct ecall_move *untrusted, const char *reason)
{
    struct om_move_report report = {.result = OM_RESULT_REFUSED};

    str_copy(report.reason, reason, sizeof(report.reason));
    untrusted->report = report;
}

/* After the commit there is no second move: the program may run elsewhere, and would be two. */
static void move_out_once(struct ecall_move *untrusted)
{
    if (!life_take(LIFE_RUNS)) {
        refuse_move(untrusted, "the enclave has no program that could be moved");
        return;
    }
    life_become(move_out(untrusted) ? LIFE_RUNS : LIFE_ENDED);
}

static void move_in_once(struct ecall_move *untrusted)
{
    if (!life_take(LIFE_EMPTY)) {
        refuse_move(untrusted, "the enclave is not empty, or was to receive a program before");
        return;
    }
    life_become(move_in(untrusted) ? LIFE_RUNS : LIFE_ENDED);
}

static void inspect(struct ecall_inspect *out)
{
    uint32_t limit = g_tables->threads.slot_limit;

    memset(out, 0, sizeof(*out));
    out->memory_bytes = mm_mapped_bytes();
    out->threads = g_tables->threads.live;
    for (uint32_t i = 0; i < limit; i++)
        out->syscalls += thread_slot(i)->syscalls;
    out->unsupported = syscall_unsupported_count();
    out->fds = fd_count();
    memcpy(out->command, g_tables->command, sizeof(out->command));
}

/* What an ECALL reads of its argument and writes to it: 0 for a number that is none. */
static size_t argument_size(long number)
{
#define OCALL(type, name, parameters)
#define ECALL(name, argument) [ECALL_##name] = sizeof(argument),
    static const size_t sizes[] = {
#include "boundary/calls.def"
    };
#undef OCALL
#undef ECALL

    return (unsigned long)number < OM_ARRAY_LENGTH(sizes) ? sizes[number] : 0;
}

long ecall_dispatch(long number, void *argument)
{
    if (!is_of_host(argument, argument_size(number)))
        return -EFAULT;
    switch (number) {
    case ECALL_create:
        return create(argument);
    case ECALL_start:
        start_once(argument);
        return 0;
    case ECALL_move_out:
        move_out_once(argument);
        return 0;
    case ECALL_move_in:
        move_in_once(argument);
        return 0;
    case ECALL_pager:
        pager_run(argument);
        return 0;
    case ECALL_urgent:
        move_urgent(argument);
        return 0;
    case ECALL_inspect:
        inspect(argument);
        return 0;
    default:
        return -ENOSYS;
    }
}
