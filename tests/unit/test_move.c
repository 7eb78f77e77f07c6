/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole moves between two processes.  The program at the source writes without pause in every way
 * that a tracker must see: stores, pages that become zero, mmap/munmap/mprotect/madvise, system
 * calls that write, one that is blocked in the kernel while memory is being protected, and a fault
 * of its own now and then. When it is stopped, every page is hashed; the destination compares every
 * page, part of them while they are still coming, and by system calls too.  One area is given back
 * and written anew at the destination meanwhile.  Failures: the program must run on at the source,
 * with its protections as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/channel.h"
#include "host/enclave.h"
#include "host/host.h"
#include "host/platform.h"
#include "host/receipt.h"
#include "protocol/protocol.h"
#include "tests/unit/move_fixture.h"

#define PAGE 4096UL
#define MIB (1UL << 20)
#define HEAP 0x10000000UL       /* written at random */
#define ZEROES 0x20000000UL     /* pages become zero and are filled again */
#define MAPS 0x30000000UL       /* mapped, protected and unmapped */
#define BUFFERS 0x40000000UL    /* written by system calls */
#define GIVEN_BACK 0x50000000UL /* discarded at the destination */
#define READ_ONLY 0x60000000UL  /* written by nobody */
#define DIRECT 0x68000000UL     /* written by a device */
#define STILL 0x70000000UL      /* filled once */

enum {
    THREADS = 7,
    SECONDS_MAX = 60,
    SNAPSHOT_MAX = 400000,
    AREAS_LIMIT = 4096,
    MAP_SLOTS = 32,
    RW = PROT_READ | PROT_WRITE,
    RWX = RW | PROT_EXEC,
    SKIPPED = 77,
};
#define MAP_SLOT_SIZE (MIB / 2)
#define ZEROES_SIZE (6 * MIB)
#define BUFFERS_SIZE (3 * MIB)
#define GIVEN_BACK_SIZE (6 * MIB)
#define READ_ONLY_SIZE (64 * PAGE)
#define DIRECT_SIZE (4 * MIB)

enum failure {
    FAIL_NOTHING,
    FAIL_NAME,
    FAIL_CAPTURE,
    FAIL_RESTORE,
    CANCEL_PREPARE,
    CANCEL_PRECOPY,
    CANCEL_SWITCHOVER,
    KILL_PREPARE,
    KILL_PRECOPY,
    KILL_SWITCHOVER,
    KILL_POSTCOPY,
};

struct test_case {
    const char *name;
    enum om_mode mode;
    enum om_tracker tracker;
    unsigned heap_mib, still_mib;
    enum failure failure;
    uint64_t deadline_us;
};

struct snapshot_page {
    uint64_t page, hash; /* of a page with contents other than zero */
};

/* Seen by all processes of one case. */
static struct shared {
    struct test_case test;
    pid_t destination;
    struct om_move_report source, there;
    uint64_t tables_digest;
    uint64_t receipt[2]; /* digests: of the destination's, of the source's */
    uint32_t areas, pages;
    struct fixture_area area[AREAS_LIMIT];
    struct snapshot_page page[SNAPSHOT_MAX];
} * g_shared;

static bool g_is_source, g_attempt_fails;
static uint32_t g_last_phase;
static volatile int g_cancel;
static int g_memory = -1; /* /proc/self/mem */

static _Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void broken(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "%s: %s: ", g_shared->test.name, g_is_source ? "source" : "destination");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _exit(1);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            broken("line %d: %s is not so (errno %d)", __LINE__, #condition, errno);               \
    } while (0)

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void pause_us(long us)
{
    const struct timespec time = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&time, NULL);
}

/* ---- the host's neighbours of channel.c, track.c and pager.c ---- */

void host_log(int level, const char *text, size_t length)
{
    (void)level;
    (void)!write(2, text, length);
}

uint64_t host_now_ns(int clock_id)
{
    struct timespec t;

    clock_gettime(clock_id, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

long host_memory_available(void)
{
    return 1L << 40;
}

int host_fd_keep(int fd)
{
    return fd;
}

long host_cancel_requested(void)
{
    return g_cancel;
}

static void kill_destination(void)
{
    kill(g_shared->destination, SIGKILL);
}

void host_progress(const struct om_progress *progress)
{
    enum failure failure = g_attempt_fails ? g_shared->test.failure : FAIL_NOTHING;

    if (!g_is_source || progress->phase == g_last_phase)
        return;
    g_last_phase = progress->phase;
    switch (progress->phase) {
    case OM_PHASE_PREPARE:
        g_cancel = failure == CANCEL_PREPARE;
        if (failure == KILL_PREPARE)
            kill_destination();
        break;
    case OM_PHASE_PRECOPY:
        g_cancel = failure == CANCEL_PRECOPY;
        if (failure == KILL_PRECOPY)
            kill_destination();
        break;
    case OM_PHASE_SWITCHOVER:
        g_cancel = failure == CANCEL_SWITCHOVER;
        if (failure == KILL_SWITCHOVER)
            kill_destination();
        break;
    case OM_PHASE_POSTCOPY:
        if (failure == KILL_POSTCOPY)
            kill_destination();
        break;
    default:
        break;
    }
}

/* ---- the program: stopping ---- */

static struct {
    pthread_t thread[THREADS];
    uint32_t count;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    volatile bool stop, quit;
    uint32_t parked;
    int blocked_pipe[2], noise, direct;
    uint64_t faults, kernel_writes, blocked_reads;
} g_program = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* True while the program goes on. */
static bool may_go_on(void)
{
    if (g_program.stop) {
        pthread_mutex_lock(&g_program.mutex);
        g_program.parked++;
        pthread_cond_broadcast(&g_program.changed);
        while (g_program.stop)
            pthread_cond_wait(&g_program.changed, &g_program.mutex);
        g_program.parked--;
        pthread_mutex_unlock(&g_program.mutex);
    }
    return !g_program.quit;
}

/* Lets the thread that is blocked in read() come back: the kernel writes to its buffer now. */
static void poke_blocked(void)
{
    uint8_t bytes[3 * PAGE];
    uint64_t state = host_now_ns(CLOCK_MONOTONIC) | 1;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)random_next(&state);
    CHECK(write(g_program.blocked_pipe[1], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes));
}

long program_stop(void)
{
    pthread_mutex_lock(&g_program.mutex);
    g_program.stop = true;
    if (g_program.count)
        poke_blocked();
    while (g_program.parked < g_program.count)
        pthread_cond_wait(&g_program.changed, &g_program.mutex);
    pthread_mutex_unlock(&g_program.mutex);
    fixture_set_command("written when all was stopped");
    return 0;
}

void program_resume(void)
{
    pthread_mutex_lock(&g_program.mutex);
    g_program.stop = false;
    pthread_cond_broadcast(&g_program.changed);
    pthread_mutex_unlock(&g_program.mutex);
}

/* ---- the program: what it does ---- */

static __thread sigjmp_buf t_fault;
static __thread volatile bool t_expects_fault;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    if (fixture_guard_fault((uint64_t)info->si_addr))
        return;
    if (!t_expects_fault)
        broken("a fault at %p that is not the program's", info->si_addr);
    siglongjmp(t_fault, 1);
}

static void enter_thread(uint32_t slot)
{
    stack_t stack = {0};

    stack.ss_sp = fixture_signal_stack(slot, &stack.ss_size);
    CHECK(sigaltstack(&stack, NULL) == 0);
}

static void stamp(uint64_t page, uint64_t *state)
{
    volatile uint64_t *words = (volatile uint64_t *)page;

    words[random_next(state) % 512] = random_next(state) | 1;
}

static void *heap_writer(void *argument)
{
    uint64_t state = 11, pages = g_shared->test.heap_mib * MIB / PAGE;

    (void)argument;
    enter_thread(0);
    while (may_go_on()) {
        for (int i = 0; i < 50; i++) {
            stamp(HEAP + random_next(&state) % pages * PAGE, &state);
            if (i % 8 == 0)
                stamp(GIVEN_BACK + random_next(&state) % (GIVEN_BACK_SIZE / PAGE) * PAGE, &state);
        }
        pause_us(200);
    }
    return NULL;
}

static void *zero_writer(void *argument)
{
    uint64_t state = 12;

    (void)argument;
    enter_thread(1);
    while (may_go_on()) {
        uint64_t page = ZEROES + random_next(&state) % (ZEROES_SIZE / PAGE) * PAGE;

        switch (random_next(&state) % 3) {
        case 0:
            memset((void *)page, 0, PAGE);
            break;
        case 1:
            CHECK(fixture_discard(page, PAGE) == 0);
            break;
        default:
            stamp(page, &state);
        }
        if (random_next(&state) % 16 == 0)
            pause_us(500);
    }
    return NULL;
}

static void fill_some(uint64_t start, uint64_t length, uint64_t *state)
{
    for (uint64_t page = start; page < start + length; page += PAGE)
        if (random_next(state) % 4)
            stamp(page, state);
}

static void change_map(uint32_t slot, int *protection, uint64_t *state)
{
    static const int others[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC, RWX, RW};
    uint64_t start = MAPS + slot * 2 * MAP_SLOT_SIZE;
    uint64_t part = start + random_next(state) % (MAP_SLOT_SIZE / PAGE / 2) * PAGE;
    bool writable = *protection == RW || *protection == RWX;
    int next;

    switch (random_next(state) % 6) {
    case 0:
        CHECK(fixture_map(start, MAP_SLOT_SIZE, RW) == 0);
        *protection = RW;
        fill_some(start, MAP_SLOT_SIZE, state);
        break;
    case 1:
        CHECK(fixture_unmap(start, MAP_SLOT_SIZE) == 0);
        *protection = -1;
        break;
    case 2:
        if (*protection < 0)
            break;
        next = others[random_next(state) % 5];
        CHECK(fixture_protect(start, MAP_SLOT_SIZE, (uint32_t)next) == 0);
        *protection = next;
        break;
    case 3:
        if (*protection >= 0)
            CHECK(fixture_discard(part, 8 * PAGE) == 0);
        break;
    default:
        if (writable)
            fill_some(part, 16 * PAGE, state);
    }
}

static void *mapper(void *argument)
{
    int protection[MAP_SLOTS];
    uint64_t state = 13;

    (void)argument;
    enter_thread(2);
    for (int i = 0; i < MAP_SLOTS; i++)
        protection[i] = -1;
    while (may_go_on()) {
        uint32_t slot = (uint32_t)(random_next(&state) % MAP_SLOTS);

        change_map(slot, &protection[slot], &state);
        pause_us(100);
    }
    return NULL;
}

static void *kernel_writer(void *argument)
{
    uint64_t state = 14;

    (void)argument;
    enter_thread(3);
    while (may_go_on()) {
        uint64_t to = BUFFERS + random_next(&state) % (BUFFERS_SIZE / PAGE - 8) * PAGE +
                      random_next(&state) % PAGE;
        size_t length = 1 + random_next(&state) % (6 * PAGE);
        ssize_t got;

        fixture_guard_open(3, to, length);
        got = pread(g_program.noise, (void *)to, length, (off_t)(random_next(&state) % 1000));
        fixture_guard_close(3);
        if (got != (ssize_t)length)
            broken("read into memory gave %zd, errno %d", got, errno);
        g_program.kernel_writes++;
        pause_us(100);
    }
    return NULL;
}

static void *blocked_reader(void *argument)
{
    uint64_t to = BUFFERS + BUFFERS_SIZE - 5 * PAGE + 100;

    (void)argument;
    enter_thread(4);
    do {
        ssize_t got;

        fixture_guard_open(4, to, 3 * PAGE);
        got = read(g_program.blocked_pipe[0], (void *)to, 3 * PAGE);
        fixture_guard_close(4);
        if (got <= 0 && !g_program.quit)
            broken("a blocked read gave %zd, errno %d", got, errno);
        g_program.blocked_reads++;
    } while (may_go_on());
    return NULL;
}

/* Direct I/O: the device writes long after the kernel has looked at the buffer. */
static void *direct_reader(void *argument)
{
    uint64_t state = 16;

    (void)argument;
    enter_thread(6);
    while (may_go_on() && g_program.direct >= 0) {
        uint64_t offset = random_next(&state) % 7 * (DIRECT_SIZE / 8);
        ssize_t got;

        fixture_guard_open(6, DIRECT + offset, DIRECT_SIZE / 8);
        got = pread(g_program.direct, (void *)(DIRECT + offset), DIRECT_SIZE / 8,
                    (off_t)(random_next(&state) % 8 * (DIRECT_SIZE / 8)));
        fixture_guard_close(6);
        if (got != (ssize_t)(DIRECT_SIZE / 8))
            broken("direct read gave %zd, errno %d", got, errno);
        pause_us(200);
    }
    while (may_go_on())
        pause_us(1000);
    return NULL;
}

static void write_and_fault(volatile uint64_t *word)
{
    t_expects_fault = true;
    if (sigsetjmp(t_fault, 1) == 0) {
        *word = 1;
        broken("a write to read-only memory went through");
    }
    t_expects_fault = false;
}

static void *faulter(void *argument)
{
    uint64_t state = 15;

    (void)argument;
    enter_thread(5);
    while (may_go_on()) {
        write_and_fault((volatile uint64_t *)READ_ONLY +
                        random_next(&state) % (READ_ONLY_SIZE / 8));
        g_program.faults++;
        pause_us(300);
    }
    return NULL;
}

static void fill_random(uint64_t start, uint64_t length)
{
    uint64_t state = start | 1;

    for (uint64_t *word = (uint64_t *)start; word < (uint64_t *)(start + length); word++)
        *word = random_next(&state);
}

static void map_program(void)
{
    const struct test_case *test = &g_shared->test;

    CHECK(fixture_map(HEAP, test->heap_mib * MIB, RW) == 0);
    CHECK(fixture_map(ZEROES, ZEROES_SIZE, RW) == 0);
    CHECK(fixture_map(BUFFERS, BUFFERS_SIZE, RW) == 0);
    CHECK(fixture_map(GIVEN_BACK, GIVEN_BACK_SIZE, RW) == 0);
    CHECK(fixture_map(READ_ONLY, READ_ONLY_SIZE, RW) == 0);
    CHECK(fixture_map(DIRECT, DIRECT_SIZE, RW) == 0);
    fill_random(HEAP, test->heap_mib * MIB / 2);
    fill_random(READ_ONLY, READ_ONLY_SIZE);
    fill_random(GIVEN_BACK, GIVEN_BACK_SIZE);
    CHECK(fixture_protect(READ_ONLY, READ_ONLY_SIZE, PROT_READ) == 0);
    if (test->still_mib) {
        CHECK(fixture_map(STILL, test->still_mib * MIB, RW) == 0);
        madvise((void *)STILL, test->still_mib * MIB, MADV_HUGEPAGE);
        fill_random(STILL, test->still_mib * MIB);
    }
}

/* -1 where the file system knows no direct I/O. */
static int make_direct_file(void)
{
    char path[] = "test-move.XXXXXX";
    int fd = mkstemp(path), direct;

    CHECK(fd >= 0);
    fill_random(DIRECT, DIRECT_SIZE);
    CHECK(write(fd, (void *)DIRECT, DIRECT_SIZE) == (ssize_t)DIRECT_SIZE && fsync(fd) == 0);
    direct = open(path, O_RDONLY | O_DIRECT);
    unlink(path);
    close(fd);
    if (direct >= 0 && pread(direct, (void *)DIRECT, DIRECT_SIZE, 0) == (ssize_t)DIRECT_SIZE)
        return direct;
    return -1;
}

static void start_program(void)
{
    static void *(*const threads[THREADS])(void *) = {
        heap_writer, zero_writer, mapper, kernel_writer, blocked_reader, faulter, direct_reader};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    uint64_t noise[4096], state = 99;

    map_program();
    g_program.noise = memfd_create("noise", 0);
    for (size_t i = 0; i < 4096; i++)
        noise[i] = random_next(&state);
    CHECK(write(g_program.noise, noise, sizeof(noise)) == (ssize_t)sizeof(noise));
    CHECK(ftruncate(g_program.noise, 1 << 20) == 0);
    CHECK(pipe(g_program.blocked_pipe) == 0);
    g_program.direct = make_direct_file();
    sigaction(SIGSEGV, &action, NULL);
    for (uint32_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&g_program.thread[i], NULL, threads[i], NULL) == 0);
    g_program.count = THREADS;
}

static void end_program(void)
{
    g_program.quit = true;
    poke_blocked();
    for (uint32_t i = 0; i < g_program.count; i++)
        pthread_join(g_program.thread[i], NULL);
    g_program.count = 0;
    CHECK(g_program.kernel_writes > 0 && g_program.faults > 0 && g_program.blocked_reads > 0);
}

/* ---- what memory contains ---- */

enum way {
    BY_LOAD,
    BY_CALL,  /* the kernel reads the page */
    BY_FORCE, /* needs no permission of the area, but does not wait for a missing page */
};

static void read_page(uint64_t page, enum way way, uint64_t words[512])
{
    static __thread int scratch;

    if (way == BY_LOAD) {
        memcpy(words, (const void *)page, PAGE);
        return;
    }
    if (way == BY_FORCE) {
        if (pread(g_memory, words, PAGE, (off_t)page) != (ssize_t)PAGE)
            broken("page %lx cannot be read, errno %d", page, errno);
        return;
    }
    if (!scratch)
        scratch = memfd_create("scratch", 0);
    if (pwrite(scratch, (const void *)page, PAGE, 0) != (ssize_t)PAGE)
        broken("a call cannot read page %lx, errno %d", page, errno);
    CHECK(pread(scratch, words, PAGE, 0) == (ssize_t)PAGE);
}

/* 0: a page of zeros. */
static uint64_t hash_page(uint64_t page, enum way way)
{
    static __thread uint64_t words[512];
    uint64_t hash = 0;

    read_page(page, way, words);
    for (int i = 0; i < 512; i++)
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL + (words[i] != 0);
    for (int i = 0; i < 512; i++)
        if (words[i])
            return hash | 1;
    return 0;
}

long program_capture(char *out_what, size_t capacity)
{
    struct shared *shared = g_shared;

    if (g_attempt_fails && shared->test.failure == FAIL_CAPTURE) {
        snprintf(out_what, capacity, "a descriptor that cannot move");
        return -EBADF;
    }
    shared->areas = fixture_areas(shared->area, AREAS_LIMIT);
    shared->pages = 0;
    CHECK(shared->areas < AREAS_LIMIT);
    for (uint32_t i = 0; i < shared->areas; i++)
        for (uint64_t page = shared->area[i].start; page < shared->area[i].end; page += PAGE) {
            uint64_t hash = hash_page(page, BY_FORCE);

            CHECK(shared->pages < SNAPSHOT_MAX);
            shared->page[shared->pages++] = (struct snapshot_page){page, hash};
        }
    shared->tables_digest = fixture_tables_digest();
    return 0;
}

void program_uncapture(void)
{
}

static bool is_given_back(uint64_t page)
{
    return page >= GIVEN_BACK && page < GIVEN_BACK + GIVEN_BACK_SIZE;
}

static bool is_readable(uint64_t page)
{
    for (uint32_t i = 0; i < g_shared->areas; i++)
        if (page >= g_shared->area[i].start && page < g_shared->area[i].end)
            return g_shared->area[i].prot & PROT_READ;
    return false;
}

static void check_page(const struct snapshot_page *expected, enum way way)
{
    uint64_t hash;

    if (is_given_back(expected->page) || (way != BY_FORCE && !is_readable(expected->page)))
        return;
    hash = hash_page(expected->page, way);
    if (hash != expected->hash)
        broken("page %lx differs (way %d): %lx, expected %lx", expected->page, way, hash,
               expected->hash);
}

/* ---- the program at the destination ---- */

static struct {
    pthread_t checkers[2], giver;
    bool runs;
    uint64_t stamps[GIVEN_BACK_SIZE / PAGE];
} g_there;

static void *checker(void *argument)
{
    enum way way = argument ? BY_CALL : BY_LOAD;
    uint64_t state = 21 + way;

    for (uint32_t i = 0; i < g_shared->pages / 4; i++)
        check_page(&g_shared->page[random_next(&state) % g_shared->pages], way);
    return NULL;
}

/* Gives memory back that may be missing still, and uses it anew. */
static void *giver(void *argument)
{
    uint64_t state = 23;

    (void)argument;
    for (int round = 0; round < 300; round++) {
        uint64_t first = random_next(&state) % (GIVEN_BACK_SIZE / PAGE - 8);
        uint64_t start = GIVEN_BACK + first * PAGE;

        if (round % 2) {
            CHECK(fixture_discard(start, 8 * PAGE) == 0);
        } else {
            CHECK(fixture_unmap(start, 8 * PAGE) == 0);
            CHECK(fixture_map(start, 8 * PAGE, RW) == 0);
        }
        for (uint64_t i = 0; i < 8; i++) {
            volatile uint64_t *word = (volatile uint64_t *)(start + i * PAGE);

            if (*word != 0)
                broken("page %lx has old contents after it was given back", start + i * PAGE);
            g_there.stamps[first + i] = i % 3 ? random_next(&state) | 1 : 0;
            if (g_there.stamps[first + i])
                *word = g_there.stamps[first + i];
        }
    }
    return NULL;
}

long program_restore(char *out_what, size_t capacity)
{
    if (g_shared->test.failure == FAIL_RESTORE && g_attempt_fails) {
        snprintf(out_what, capacity, "a descriptor that cannot be made");
        return -EBADF;
    }
    CHECK(fixture_tables_digest() == g_shared->tables_digest);
    CHECK(strcmp(fixture_command(), "written when all was stopped") == 0);
    return 0;
}

void program_release(void)
{
    memset(g_there.stamps, 0xff, sizeof(g_there.stamps));
    g_there.runs = true;
    CHECK(pthread_create(&g_there.checkers[0], NULL, checker, NULL) == 0);
    CHECK(pthread_create(&g_there.checkers[1], NULL, checker, &g_there) == 0);
    CHECK(pthread_create(&g_there.giver, NULL, giver, NULL) == 0);
}

uint32_t program_hot_pages(uint64_t *out_pages, uint32_t capacity)
{
    CHECK(capacity >= 3);
    out_pages[0] = HEAP;
    out_pages[1] = BUFFERS;
    out_pages[2] = MAPS;
    return 3;
}

/* ---- protections ---- */

static int protection_of_map(uint64_t page)
{
    for (uint32_t i = 0; i < g_shared->areas; i++)
        if (page >= g_shared->area[i].start && page < g_shared->area[i].end)
            return (int)g_shared->area[i].prot;
    return PROT_NONE;
}

/* The kernel's protections are what the areas say. */
static void check_protections(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];

    CHECK(maps != NULL);
    g_shared->areas = fixture_areas(g_shared->area, AREAS_LIMIT);
    while (fgets(line, sizeof(line), maps)) {
        unsigned long start, end;
        char flags[5];
        int prot;

        if (sscanf(line, "%lx-%lx %4s", &start, &end, flags) != 3 || start >= PROGRAM_END)
            continue;
        prot = (flags[0] == 'r') * PROT_READ | (flags[1] == 'w') * PROT_WRITE |
               (flags[2] == 'x') * PROT_EXEC;
        if (end > PROGRAM_END)
            end = PROGRAM_END;
        for (uint64_t page = start; page < end; page += PAGE) {
            if (page > STILL + 4096 * MIB) /* Nothing up there. */
                break;
            if (protection_of_map(page) != prot)
                broken("page %lx has protection %d, the map says %d", page, prot,
                       protection_of_map(page));
        }
    }
    fclose(maps);
}

/* ---- processes ---- */

static void *urgent_thread(void *argument)
{
    (void)argument;
    fixture_helper(true);
    return NULL;
}

static void *pager_thread(void *argument)
{
    (void)argument;
    fixture_helper(false);
    return NULL;
}

static void no_other_channel(const struct om_severed *severed)
{
    (void)severed;
}

static void run_move(bool out, const int fds[2], struct om_move_report *report)
{
    struct ecall_move move = {
        .mode = g_shared->test.mode,
        .tracker = g_shared->test.tracker,
        .max_downtime_us = 20000,
        .deadline_us = g_shared->test.deadline_us,
        .session = 4711,
    };
    pthread_t urgent, pager;

    g_cancel = 0;
    g_last_phase = OM_PHASE_NONE;
    channel_begin(0, no_other_channel);
    channel_orphan(-ECONNREFUSED);
    for (uint32_t i = 0; i < OM_STREAM_COUNT; i++)
        channel_open(i, fds[i]);
    CHECK(pthread_create(&urgent, NULL, urgent_thread, NULL) == 0);
    if (!out)
        CHECK(pthread_create(&pager, NULL, pager_thread, NULL) == 0);
    fixture_move(out, &move);
    pthread_join(urgent, NULL);
    if (!out)
        pthread_join(pager, NULL);
    channel_close_all();
    *report = move.report;
}

/* Where each thread is, in the kernel's words, before the process gives up. */
static void on_alarm(int number)
{
    char command[128];

    (void)number;
    fprintf(stderr, "%s: %s: out of time in phase %u, stop %d, %u of %u parked\n",
            g_shared->test.name, g_is_source ? "source" : "destination", g_last_phase,
            g_program.stop, g_program.parked, g_program.count);
    snprintf(command, sizeof(command), "grep -H . /proc/%d/task/*/wchan /proc/%d/task/*/syscall",
             getpid(), getpid());
    (void)!system(command);
    _exit(1);
}

long host_receipt(const uint8_t *bytes, size_t length)
{
    struct receipt_file file;
    uint64_t digest = 0xcbf29ce484222325ULL;

    CHECK(decode_receipt_file(bytes, length, &file) == 0);
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ bytes[i]) * 0x100000001b3ULL;
    g_shared->receipt[g_is_source] = digest;
    return 0;
}

/* No policy is under test here. */
void host_rule(const struct om_rule *rule)
{
    (void)rule;
}

static void begin_process(bool source)
{
    uint8_t measurement[32];
    char reason[OM_REASON_MAX];
    const char *name = !source && g_attempt_fails && g_shared->test.failure == FAIL_NAME
                           ? "somebody else"
                           : "victim";

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, on_alarm);
    alarm(source ? SECONDS_MAX : SECONDS_MAX + 5);
    signal(SIGPIPE, SIG_IGN);
    g_is_source = source;
    if (!fixture_create(name, source ? THREADS : 0))
        _exit(SKIPPED);
    memset(measurement, 7, sizeof(measurement));
    CHECK(platform_create(NULL, NULL, measurement, reason) == 0);
    g_memory = open("/proc/self/mem", O_RDONLY);
    CHECK(g_memory >= 0);
}

static void check_everything(void)
{
    for (uint32_t i = 0; i < g_shared->pages; i++)
        check_page(&g_shared->page[i], BY_FORCE);
    for (size_t i = 0; i < GIVEN_BACK_SIZE / PAGE; i++) {
        uint64_t word = *(volatile uint64_t *)(GIVEN_BACK + i * PAGE);

        if (g_there.stamps[i] != ~0UL && word != g_there.stamps[i])
            broken("page %lx was written here and has changed", GIVEN_BACK + i * PAGE);
    }
}

/* Where nothing was mapped there is nothing: fresh memory is zero. */
static void check_holes(void)
{
    for (uint32_t slot = 0; slot < MAP_SLOTS; slot++) {
        uint64_t start = MAPS + slot * 2 * MAP_SLOT_SIZE;

        if (protection_of_map(start) != PROT_NONE || is_readable(start))
            continue;
        bool mapped = false;
        for (uint32_t i = 0; i < g_shared->areas; i++)
            mapped |= start >= g_shared->area[i].start && start < g_shared->area[i].end;
        if (mapped)
            continue;
        CHECK(fixture_map(start, MAP_SLOT_SIZE, RW) == 0);
        for (uint64_t page = start; page < start + MAP_SLOT_SIZE; page += PAGE)
            if (hash_page(page, BY_LOAD) != 0)
                broken("fresh page %lx is not zero", page);
    }
}

static _Noreturn void destination_process(const int fds[2])
{
    struct pollfd begin = {.fd = fds[0], .events = POLLIN};

    begin_process(false);
    poll(&begin, 1, -1); /* The second one waits until the first has failed. */
    run_move(false, fds, &g_shared->there);
    if (g_shared->there.result != OM_RESULT_MOVED)
        _exit(0);
    CHECK(g_there.runs);
    pthread_join(g_there.checkers[0], NULL);
    pthread_join(g_there.checkers[1], NULL);
    pthread_join(g_there.giver, NULL);
    check_everything();
    check_protections();
    check_holes();
    _exit(0);
}

static void check_report(const struct om_move_report *report, bool fails)
{
    enum failure failure = g_shared->test.failure;
    uint32_t expected = OM_RESULT_MOVED;

    if (fails && (failure == FAIL_NAME || failure == KILL_PREPARE))
        expected = OM_RESULT_REFUSED;
    else if (fails)
        expected = failure == KILL_POSTCOPY ? OM_RESULT_LOST : OM_RESULT_FAILED;
    if (report->result != expected)
        broken("result %u, expected %u: %s", report->result, expected, report->reason);
    CHECK((report->reason[0] == 0) == (expected == OM_RESULT_MOVED));
    if (expected == OM_RESULT_MOVED && report->no_receipt[0])
        broken("no receipt: %s", report->no_receipt);
    /* Both sides have the same one, which only a move has. */
    CHECK((g_shared->receipt[0] != 0) == (expected == OM_RESULT_MOVED));
    CHECK(g_shared->receipt[0] == g_shared->receipt[1]);
    if (fails)
        printf("    %s\n", report->reason);
}

/* After a move that failed: everybody still works, and no trace of it is left. */
static void check_program_runs_on(void)
{
    uint64_t faults = g_program.faults, writes = g_program.kernel_writes;

    while (g_program.faults < faults + 20 || g_program.kernel_writes < writes + 20)
        pause_us(1000);
    program_stop();
    check_protections();
    program_resume();
}

static _Noreturn void source_process(const int failing[2], const int fds[2])
{
    begin_process(true);
    start_program();
    while (g_program.faults < 20 || g_program.kernel_writes < 20)
        pause_us(1000);
    if (g_attempt_fails) {
        run_move(true, failing, &g_shared->source);
        check_report(&g_shared->source, true);
        if (g_shared->source.result == OM_RESULT_LOST)
            exit(0);
        g_attempt_fails = false;
        check_program_runs_on();
    }
    run_move(true, fds, &g_shared->source);
    check_report(&g_shared->source, false);
    program_resume();
    end_program();
    exit(0);
}

static void connect_pair(int here[2], int there[2])
{
    for (int i = 0; i < 2; i++) {
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        here[i] = pair[0];
        there[i] = pair[1];
    }
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* The others are other ends: as long as somebody has them, nobody sees that a process has died. */
static pid_t fork_destination(bool fails, const int fds[2], const int other1[2],
                              const int other2[2], const int other3[2])
{
    pid_t child = fork();

    if (child != 0)
        return child;
    close_pair(other1);
    close_pair(other2);
    close_pair(other3);
    g_attempt_fails = fails;
    destination_process(fds);
}

static int wait_for(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void print_report(const struct om_move_report *r)
{
    printf(
        "    down %lu us (stop %lu capture %lu transfer %lu restore %lu commit %lu), total %lu ms, "
        "%u rounds, %lu pages, %lu at switchover, %lu after (%lu urgent), %lu MiB of %lu MiB\n",
        r->downtime_us, r->stop_us, r->capture_us, r->transfer_us, r->resume_us, r->commit_us,
        r->total_us / 1000, r->rounds, r->pages, r->switchover_pages, r->postcopy_pages,
        r->urgent_pages, r->bytes_sent >> 20, r->memory_bytes >> 20);
}

static void run_case(void **state)
{
    const struct test_case *test = *state;
    int first[2], first_there[2], second[2], second_there[2];
    pid_t source, destinations[2] = {-1, -1};
    bool fails = test->failure != FAIL_NOTHING;
    int result;

    memset(g_shared, 0, offsetof(struct shared, area));
    g_shared->test = *test;
    connect_pair(first, first_there);
    connect_pair(second, second_there);
    fflush(NULL);
    if (fails)
        destinations[0] = g_shared->destination =
            fork_destination(true, first_there, first, second, second_there);
    if (test->failure != KILL_POSTCOPY)
        destinations[1] = fork_destination(false, second_there, first, second, first_there);
    source = fork();
    if (source == 0) {
        close_pair(first_there);
        close_pair(second_there);
        g_attempt_fails = fails;
        source_process(first, second);
    }
    close_pair(first);
    close_pair(first_there);
    close_pair(second);
    close_pair(second_there);
    result = wait_for(source);
    if (result == SKIPPED)
        skip();
    assert_int_equal(result, 0);
    if (destinations[0] > 0)
        (void)wait_for(destinations[0]);
    if (destinations[1] > 0) {
        assert_int_equal(wait_for(destinations[1]), 0);
        assert_int_equal(g_shared->there.result, OM_RESULT_MOVED);
        print_report(&g_shared->source);
    }
}

#define CASE(name, mode, tracker, ...)                                                             \
    {                                                                                              \
        name, OM_MODE_##mode, OM_TRACKER_##tracker, __VA_ARGS__                                    \
    }

static struct test_case g_cases[] = {
    CASE("stopcopy", STOPCOPY, KERNEL, 24, 16, FAIL_NOTHING, 0),
    CASE("precopy", PRECOPY, KERNEL, 24, 64, FAIL_NOTHING, 0),
    CASE("hybrid", HYBRID, KERNEL, 24, 64, FAIL_NOTHING, 0),
    CASE("postcopy", POSTCOPY, KERNEL, 24, 64, FAIL_NOTHING, 0),
    CASE("precopy, small", PRECOPY, KERNEL, 8, 0, FAIL_NOTHING, 0),
    CASE("hybrid, small", HYBRID, KERNEL, 8, 0, FAIL_NOTHING, 0),
    CASE("precopy, mprotect", PRECOPY, MPROTECT, 24, 64, FAIL_NOTHING, 0),
    CASE("hybrid, mprotect", HYBRID, MPROTECT, 24, 64, FAIL_NOTHING, 0),
    CASE("postcopy, mprotect", POSTCOPY, MPROTECT, 24, 16, FAIL_NOTHING, 0),
    CASE("hybrid, deadline", HYBRID, KERNEL, 24, 64, FAIL_NOTHING, 30000),
    CASE("hybrid, deadline, mprotect", HYBRID, MPROTECT, 24, 64, FAIL_NOTHING, 30000),
    CASE("precopy, deadline", PRECOPY, KERNEL, 24, 64, FAIL_NOTHING, 30000),
    CASE("another name", HYBRID, KERNEL, 8, 0, FAIL_NAME, 0),
    CASE("cannot capture", HYBRID, KERNEL, 24, 64, FAIL_CAPTURE, 0),
    CASE("cannot capture, mprotect", HYBRID, MPROTECT, 24, 64, FAIL_CAPTURE, 0),
    CASE("cannot restore", HYBRID, KERNEL, 24, 64, FAIL_RESTORE, 0),
    CASE("cannot restore, precopy, mprotect", PRECOPY, MPROTECT, 24, 64, FAIL_RESTORE, 0),
    CASE("cancelled in prepare", HYBRID, KERNEL, 8, 0, CANCEL_PREPARE, 0),
    CASE("cancelled in pre-copy", HYBRID, KERNEL, 24, 64, CANCEL_PRECOPY, 0),
    CASE("cancelled in pre-copy, mprotect", PRECOPY, MPROTECT, 24, 64, CANCEL_PRECOPY, 0),
    CASE("cancelled at switchover", HYBRID, KERNEL, 24, 64, CANCEL_SWITCHOVER, 0),
    CASE("cancelled in stopcopy", STOPCOPY, KERNEL, 24, 64, CANCEL_SWITCHOVER, 0),
    CASE("destination killed in prepare", HYBRID, KERNEL, 8, 0, KILL_PREPARE, 0),
    CASE("destination killed in pre-copy", HYBRID, KERNEL, 24, 64, KILL_PRECOPY, 0),
    CASE("destination killed at switchover", HYBRID, KERNEL, 24, 64, KILL_SWITCHOVER, 0),
    CASE("destination killed in stopcopy", STOPCOPY, KERNEL, 24, 64, KILL_SWITCHOVER, 0),
    CASE("destination killed in post-copy", POSTCOPY, KERNEL, 24, 64, KILL_POSTCOPY, 0),
};

int main(int argc, char **argv)
{
    struct CMUnitTest tests[sizeof(g_cases) / sizeof(g_cases[0])];

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    g_shared = mmap(NULL, sizeof(*g_shared), RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (g_shared == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tests[i] = (struct CMUnitTest){g_cases[i].name, run_case, NULL, NULL, &g_cases[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
