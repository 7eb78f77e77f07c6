/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that lie to their enclave while its program runs and is moved:
 *
 *   hostile-lies [--seed N] [--some N] [--only TEXT] RUNTIME PROGRAM
 *
 * A lie is told by the source's host or by the destination's, about one kind of call, once or
 * always, as lying_calls.h says.  For each a program (hostile_program.c) is started and moved;
 * --some takes so many of them by the seed.  It must go on in one place at most, believe no
 * impossible answer and have its memory right; it may be stopped only by the runtime's own word.
 * What each lie led to is counted.
 */
#include <dirent.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/gate.h"
#include "host/pager.h"
#include "host/platform.h"
#include "host/receipt.h"
#include "host/track.h"
#include "tests/adversary/hostile.h"
#include "tests/adversary/lying_calls.h"

enum {
    ROUNDS_BEFORE = 3,
    ROUNDS_AFTER = 5,
    STEP_us = 2000,
    LONG_ms = 15000,
    ALWAYS = 1 << 30,
    LIES_MAX = 8192,
    OFTEN_us = 200,
};

/* LOST: a destination's host can always end what it has; the source says so. */
enum outcome { MOVED, RUNS_ON, GAVE_UP, LOST, NOT_TOLD, OUTCOMES, WRONG };

struct lie {
    uint32_t side, about;
    enum lie_kind kind;
    uint32_t first, count;
    enum om_mode mode;
};

static const char *const g_outcomes[] = {"moved", "went on at the source",
                                         "was stopped by the runtime's word",
                                         "lost by the destination's host, and told so", "not told"};
static const char *const g_kinds[] = {"truth", "more",  "number", "tables",
                                      "local", "error", "undone"};
static struct host_calls g_true, g_lying;
static char g_why[400];

/* ---- calls that run on threads of the host ---- */

static struct {
    void *argument;
    size_t length;
} g_shared; /* the argument of the ECALL that is at work */

/* Whatever the runtime has not copied by now it will find to be another. */
static void change_arguments(void)
{
    if (g_shared.argument && lie_is_due(ABOUT_arguments))
        memset(g_shared.argument, 0x41, g_shared.length);
}

#define LIE(name, asked, call)                                                                     \
    long truth_, due_ = lie_is_due(ABOUT_##name);                                                  \
    change_arguments();                                                                            \
    if (due_ && g_theatre->kind == LIE_UNDONE)                                                     \
        return 0;                                                                                  \
    truth_ = (call);                                                                               \
    return due_ ? lie_answer(g_theatre->kind, (long)(asked), truth_) : truth_

static long lying_channel_send(uint32_t stream, const struct om_buffer *parts, uint32_t count)
{
    LIE(channel_send, count, g_true.channel_send(stream, parts, count));
}

static long lying_channel_recv(uint32_t stream, void *buffer, size_t length)
{
    LIE(channel_recv, length, g_true.channel_recv(stream, buffer, length));
}

static long lying_channel_pending(uint32_t stream)
{
    LIE(channel_pending, 1, g_true.channel_pending(stream));
}

static long lying_track_begin(void)
{
    LIE(track_begin, 0, g_true.track_begin());
}

/* What is told as an address is told in the answer's regions. */
static long lying_track_scan(const struct om_scan *scan, struct om_region *regions,
                             uint32_t capacity, uint64_t *walk_end)
{
    long due = lie_is_due(ABOUT_track_scan),
         count = g_true.track_scan(scan, regions, capacity, walk_end);

    if (!due)
        return count;
    switch (g_theatre->kind) {
    case LIE_TABLES:
    case LIE_LOCAL:
        regions[0].start = g_theatre->kind == LIE_TABLES ? TABLES_BASE : LOCAL_BASE;
        regions[0].end = regions[0].start + OM_HUGE_SIZE;
        return count > 0 ? count : 1;
    case LIE_UNDONE: /* It went further than it was asked to. */
        *walk_end += OM_HUGE_SIZE;
        return count;
    default:
        return lie_answer(g_theatre->kind, capacity, count);
    }
}

static long lying_track_keep(uint64_t start, uint64_t end)
{
    LIE(track_keep, 0, g_true.track_keep(start, end));
}

static long lying_pager_begin(uint64_t start, uint64_t end)
{
    LIE(pager_begin, 0, g_true.pager_begin(start, end));
}

static long lying_pager_wait(uint64_t *addresses, uint32_t capacity, int timeout_ms)
{
    long due = lie_is_due(ABOUT_pager_wait),
         count = g_true.pager_wait(addresses, capacity, timeout_ms);

    if (!due || count < 0)
        return count;
    switch (g_theatre->kind) {
    case LIE_TABLES:
        addresses[count < (long)capacity ? count++ : 0] = TABLES_BASE;
        return count;
    case LIE_LOCAL:
        addresses[count < (long)capacity ? count++ : 0] = LOCAL_BASE + 1;
        return count;
    case LIE_UNDONE: /* Memory that nobody waits for, and that there is not. */
        addresses[count < (long)capacity ? count++ : 0] = PROGRAM_END - OM_HUGE_SIZE;
        return count;
    default:
        return lie_answer(g_theatre->kind, capacity, count);
    }
}

static long lying_pager_copy(uint64_t to, const void *from, size_t length)
{
    long due = lie_is_due(ABOUT_pager_copy), truth = g_true.pager_copy(to, from, length);

    return due ? lie_answer(g_theatre->kind, (long)length, truth) : truth;
}

static long lying_pager_zero(uint64_t to, size_t length)
{
    long due = lie_is_due(ABOUT_pager_zero), truth = g_true.pager_zero(to, length);

    return due ? lie_answer(g_theatre->kind, (long)length, truth) : truth;
}

static long lying_pager_wake(uint64_t to, size_t length)
{
    LIE(pager_wake, length, g_true.pager_wake(to, length));
}

static long lying_report(const uint8_t report_data[64], uint8_t *out, size_t capacity,
                         uint32_t *length)
{
    long due = lie_is_due(ABOUT_report), truth = g_true.report(report_data, out, capacity, length);

    change_arguments();
    if (due && g_theatre->kind == LIE_UNDONE) {
        *length = UINT32_MAX;
        return truth;
    }
    return due ? lie_answer(g_theatre->kind, (long)capacity, truth) : truth;
}

static long lying_receipt(const uint8_t *bytes, size_t length)
{
    LIE(receipt, length, g_true.receipt(bytes, length));
}

static long lying_memory_available(void)
{
    LIE(memory_available, 0, g_true.memory_available());
}

static long lying_memory_read(uint64_t from, void *to, size_t length)
{
    long due = lie_is_due(ABOUT_memory_read), truth = g_true.memory_read(from, to, length);

    return due ? lie_answer(g_theatre->kind, (long)length, truth) : truth;
}

/* Time that goes back, stands still or is far away. */
static uint64_t lying_now_ns(int clock_id)
{
    uint64_t due = (uint64_t)lie_is_due(ABOUT_now_ns), truth = g_true.now_ns(clock_id);

    change_arguments();
    if (!due)
        return truth;
    return g_theatre->kind == LIE_MORE    ? UINT64_MAX - truth
           : g_theatre->kind == LIE_ERROR ? 0
                                          : truth / 2;
}

static long lying_cancel_requested(void)
{
    LIE(cancel_requested, 0, g_true.cancel_requested());
}

/* In place of the real one: the runtime gets other calls. */
long __real_host_gate_ecall(uint64_t entry, long number, void *argument, unsigned stack_index);
long __wrap_host_gate_ecall(uint64_t entry, long number, void *argument, unsigned stack_index);

static void make_lying(const struct host_calls *calls)
{
    g_true = g_lying = *calls;
#define LYING(name) g_lying.name = lying_##name
    LYING(syscall);
    LYING(syscall_blocking);
    LYING(thread_create);
    LYING(channel_send);
    LYING(channel_recv);
    LYING(channel_pending);
    LYING(track_begin);
    LYING(track_scan);
    LYING(track_keep);
    LYING(pager_begin);
    LYING(pager_wait);
    LYING(pager_copy);
    LYING(pager_zero);
    LYING(pager_wake);
    LYING(report);
    LYING(receipt);
    LYING(memory_available);
    LYING(memory_read);
    LYING(now_ns);
    LYING(cancel_requested);
#undef LYING
}

long __wrap_host_gate_ecall(uint64_t entry, long number, void *argument, unsigned stack_index)
{
    long result;

    if (number == ECALL_create) {
        struct ecall_create *create = argument;

        make_lying(create->calls);
        create->calls = &g_lying;
    }
    if (number == ECALL_move_out || number == ECALL_move_in) {
        g_shared.argument = argument;
        g_shared.length = offsetof(struct ecall_move, report);
    }
    result = __real_host_gate_ecall(entry, number, argument, stack_index);
    if (argument == g_shared.argument)
        g_shared.argument = NULL;
    return result;
}

/* ---- the two hosts ---- */

static void poke_all(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;

    while (tasks && (entry = readdir(tasks)) != NULL)
        if (entry->d_name[0] != '.')
            syscall(__NR_tgkill, getpid(), atoi(entry->d_name), OM_SIGNAL_STOP);
    if (tasks)
        closedir(tasks);
}

static void *poke(void *unused)
{
    (void)unused;
    for (;;) {
        if (lie_is_due(ABOUT_threads))
            poke_all();
        usleep(OFTEN_us);
    }
    return NULL;
}

static void arm(void)
{
    pthread_t thread;

    __atomic_store_n(&g_theatre->armed[g_side], 1, __ATOMIC_SEQ_CST);
    if (g_theatre->about == ABOUT_threads && g_theatre->side == (uint32_t)g_side &&
        pthread_create(&thread, NULL, poke, NULL))
        die("no thread");
}

static _Noreturn void stay(void)
{
    for (;;)
        pause();
}

static _Noreturn void be_destination(const struct ends *ends)
{
    struct move_options options;

    g_side = SIDE_DESTINATION;
    hostile_enclave(NULL);
    options = hostile_move(OM_MODE_HYBRID, ends->destination);
    arm();
    if (enclave_move_in(&options, &g_hostile_callbacks))
        die("a destination cannot begin");
    hostile_wait_done(LONG_ms / 1000);
    if (g_hostile_report.result != OM_RESULT_MOVED)
        _exit(0); /* As main.c does: nothing came. */
    stay();
}

static _Noreturn void be_source(const struct ends *ends, enum om_mode mode, char **argv)
{
    struct move_options options;

    g_side = SIDE_SOURCE;
    hostile_enclave(NULL);
    options = hostile_move(mode, ends->source);
    hostile_start(argv);
    while (g_theatre->rounds[SIDE_SOURCE] < ROUNDS_BEFORE)
        usleep(STEP_us);
    arm();
    if (enclave_move_out(&options, &g_hostile_callbacks))
        die("the source cannot begin");
    if (hostile_wait_done(LONG_ms / 1000)) {
        memcpy(g_theatre->reason, g_hostile_report.reason, sizeof(g_theatre->reason));
        __atomic_store_n(&g_theatre->done, g_hostile_report.result + 1, __ATOMIC_SEQ_CST);
    }
    stay(); /* A hostile host does not end when it should. */
}

static pid_t spawn(const struct ends *ends, uint32_t side, enum om_mode mode, char **argv)
{
    pid_t pid = fork();

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ends_close(side == SIDE_SOURCE ? ends->destination : ends->source);
    if (side == SIDE_SOURCE)
        be_source(ends, mode, argv);
    be_destination(ends);
}

/* ---- who watches ---- */

struct watch {
    pid_t pid[SIDES];
    int status[SIDES];        /* -1: lives */
    uint32_t source_at_start; /* rounds of the source when the destination had made its first */
    bool started;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void look(struct watch *watch)
{
    for (int side = 0; side < SIDES; side++) {
        int status;

        if (watch->status[side] < 0 && waitpid(watch->pid[side], &status, WNOHANG) > 0)
            watch->status[side] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (!watch->started && g_theatre->rounds[SIDE_DESTINATION] > 0) {
        watch->source_at_start = g_theatre->rounds[SIDE_SOURCE];
        watch->started = true;
    }
}

/* Until this side has made some more rounds.  False: it has not, and will not. */
static bool goes_on(struct watch *watch, uint32_t side)
{
    uint32_t from = g_theatre->rounds[side];
    uint64_t end = now_ms() + LONG_ms / 3;

    while (now_ms() < end && watch->status[side] < 0) {
        if (g_theatre->rounds[side] >= from + ROUNDS_AFTER)
            return true;
        usleep(STEP_us);
        look(watch);
    }
    return false;
}

static enum outcome wrong(const char *why)
{
    snprintf(g_why, sizeof(g_why), "%s (source: move %d, \"%.80s\")", why, (int)g_theatre->done - 1,
             g_theatre->reason);
    return WRONG;
}

/* The process that should have it has ended. */
static enum outcome judge_end(const struct watch *watch, uint32_t side)
{
    static char text[100];

    if (g_theatre->gave_up[side])
        return GAVE_UP;
    if (g_theatre->side == SIDE_DESTINATION && g_theatre->done == OM_RESULT_LOST + 1 &&
        !g_theatre->ended[SIDE_SOURCE] && !g_theatre->ended[SIDE_DESTINATION])
        return LOST;
    if (g_theatre->ended[side]) {
        snprintf(text, sizeof(text), "the program ended with %u at side %u",
                 g_theatre->ended[side] - 1, side);
        return wrong(text);
    }
    snprintf(text, sizeof(text), "side %u ended with status %d", side, watch->status[side]);
    return watch->status[side] < 0 ? wrong(side ? "it stands still at the destination"
                                                : "it stands still at the source")
                                   : wrong(text);
}

static enum outcome judge(struct watch *watch)
{
    uint64_t end = now_ms() + LONG_ms;
    bool here, there;

    while (now_ms() < end && !g_theatre->done && watch->status[SIDE_SOURCE] < 0) {
        usleep(STEP_us);
        look(watch);
    }
    if (watch->status[SIDE_SOURCE] >= 0 && !watch->started && !g_theatre->done)
        return judge_end(watch, SIDE_SOURCE);
    there = watch->started || g_theatre->done == OM_RESULT_MOVED + 1;
    here = !there;
    if (there && !goes_on(watch, SIDE_DESTINATION))
        return judge_end(watch, SIDE_DESTINATION);
    if (here && !goes_on(watch, SIDE_SOURCE))
        return judge_end(watch, SIDE_SOURCE);
    look(watch);
    if (there && g_theatre->rounds[SIDE_SOURCE] != watch->source_at_start)
        return wrong("two programs");
    if (here && watch->started)
        return wrong("two programs, the second one later");
    if (g_theatre->ended[!there] && !g_theatre->gave_up[!there])
        return wrong("another copy of it ran, and ended");
    return there ? MOVED : RUNS_ON;
}

static enum outcome tell(const struct lie *lie, char **argv)
{
    struct watch watch = {.status = {-1, -1}};
    struct ends ends;
    enum outcome outcome;

    memset(g_theatre, 0, offsetof(struct theatre, seen));
    g_theatre->side = lie->side;
    g_theatre->about = lie->about;
    g_theatre->kind = lie->kind;
    g_theatre->first = lie->first;
    g_theatre->count = lie->count;
    g_theatre->calls = 0;
    ends_make(&ends);
    for (uint32_t side = 0; side < SIDES; side++)
        watch.pid[side] = spawn(&ends, side, lie->mode, argv);
    ends_close(ends.source);
    ends_close(ends.destination);
    outcome = judge(&watch);
    for (int side = 0; side < SIDES; side++) {
        kill(watch.pid[side], SIGKILL);
        if (watch.status[side] < 0)
            waitpid(watch.pid[side], NULL, 0);
    }
    if (outcome != WRONG && lie->kind != LIE_NONE && !g_theatre->told)
        return NOT_TOLD;
    return outcome;
}

/* ---- which lies ---- */

static struct lie g_lies[LIES_MAX];
static unsigned g_count;

static const char *name_of(const struct lie *lie)
{
    static char text[128];

    snprintf(text, sizeof(text), "%s-%u-%s-%u-%s", lie->side ? "destination" : "source", lie->about,
             g_kinds[lie->kind], lie->first, lie->count == 1 ? "once" : "always");
    return text;
}

static void add(struct lie lie)
{
    if (g_count == LIES_MAX)
        die("too many lies");
    g_lies[g_count++] = lie;
}

/* What is told of a call only if it was made; memory that is not changed when the kernel says that
 * it is, is the machine's to prevent, and not the runtime's. */
static bool may_be_undone(uint32_t about)
{
    switch (about) {
    case __NR_read:
    case __NR_futex:
    case __NR_tgkill:
    case __NR_close:
    case __NR_dup:
    case __NR_openat:
    case __NR_getrandom:
    case __NR_epoll_wait:
    case __NR_clock_nanosleep:
    case ABOUT_track_scan:
    case ABOUT_pager_wait:
    case ABOUT_report:
        return true;
    default:
        return false;
    }
}

static bool may_be_told(uint32_t about, int kind)
{
    if (about == __NR_exit_group || (kind == LIE_UNDONE && !may_be_undone(about)))
        return false;
    /* That something is there to be received is yes or no, and waited for until a limit. */
    if (about == ABOUT_channel_pending)
        return kind == LIE_NUMBER;
    return about < ABOUT_arguments || kind == LIE_ERROR;
}

static void list_lies(void)
{
    for (uint32_t side = 0; side < SIDES; side++)
        for (uint32_t about = 0; about < ABOUT_nothing; about++) {
            if (!g_theatre->seen[side][about] && about < ABOUT_arguments)
                continue;
            for (int kind = LIE_MORE; kind < LIE_KINDS; kind++) {
                if (!may_be_told(about, kind))
                    continue;
                add((struct lie){side, about, kind, 0, ALWAYS, OM_MODE_HYBRID});
                add((struct lie){side, about, kind, 0, 1, OM_MODE_POSTCOPY});
                add((struct lie){side, about, kind, 2, 1, OM_MODE_HYBRID});
            }
        }
}

/* So many of them, by the seed. */
static void choose(unsigned some, unsigned seed)
{
    srandom(seed);
    for (unsigned i = 0; i < some && i < g_count; i++) {
        unsigned other = i + (unsigned)random() % (g_count - i);
        struct lie lie = g_lies[i];

        g_lies[i] = g_lies[other];
        g_lies[other] = lie;
    }
    g_count = some < g_count ? some : g_count;
}

static int tell_all(const char *only, char **argv)
{
    unsigned counts[WRONG + 1] = {0}, told = 0;

    for (unsigned i = 0; i < g_count; i++) {
        enum outcome outcome;

        if (only && !strstr(name_of(&g_lies[i]), only))
            continue;
        outcome = tell(&g_lies[i], argv);
        counts[outcome]++;
        told++;
        if (outcome == WRONG)
            printf("%s: %s\n", name_of(&g_lies[i]), g_why);
        else if (only)
            printf("%s: %s, told %u times, \"%.200s\"\n", name_of(&g_lies[i]), g_outcomes[outcome],
                   g_theatre->told, g_theatre->reason);
        fflush(stdout);
    }
    printf("%u lies", told);
    for (int outcome = 0; outcome < OUTCOMES; outcome++)
        printf(", %u %s", counts[outcome], g_outcomes[outcome]);
    printf(", %u wrong\n", counts[WRONG]);
    return counts[WRONG] || told == 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"some", required_argument, NULL, 'n'},
                                            {"only", required_argument, NULL, 'o'},
                                            {NULL, 0, NULL, 0}};
    const struct lie truths[] = {{0, ABOUT_nothing, LIE_NONE, 0, 0, OM_MODE_HYBRID},
                                 {0, ABOUT_nothing, LIE_NONE, 0, 0, OM_MODE_POSTCOPY}};
    unsigned seed = 1, some = LIES_MAX;
    const char *only = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            seed = (unsigned)atoi(optarg);
        else if (option == 'n')
            some = (unsigned)atoi(optarg);
        else if (option == 'o')
            only = optarg;
        else
            return 2;
    }
    if (argc - optind < 2)
        die("usage: hostile-lies [--seed N] [--some N] [--only TEXT] RUNTIME PROGRAM");
    g_hostile_runtime = argv[optind];
    g_theatre =
        mmap(NULL, sizeof(*g_theatre), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (g_theatre == MAP_FAILED)
        die("no shared memory");
    for (unsigned i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
        if (tell(&truths[i], argv + optind + 1) != MOVED)
            die(g_why);
    list_lies();
    choose(some, seed);
    return tell_all(only, argv + optind + 1);
}
