/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a system call must leave alone, it leaves alone: with every register, the flags, the vector
 * registers and the red zone full of known values, calls are made by the instructions that
 * compilers make of them ("mov $number,%eax; syscall", "xor %eax,%eax; syscall"), and all is
 * compared. Some do not block, some do, some are interrupted by a handler that makes calls itself.
 *
 *   threads=3   tick_us=3000 (a signal that often; 0: none)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { THREADS_MAX = 16, RED_WORDS = 16, VECTOR_BYTES = 64, VECTORS = 32 };

/* The assembly below knows it. */
struct state {
    uint64_t rbx, rbp, rdi, rsi, rdx, r8, r9, r10, r12, r13, r14, r15;
    uint64_t flags;
    uint64_t red[RED_WORDS];
    uint64_t result, reserved[2];
    uint8_t vectors[VECTORS][VECTOR_BYTES];
};
_Static_assert(offsetof(struct state, flags) == 96, "assembly");
_Static_assert(offsetof(struct state, red) == 104, "assembly");
_Static_assert(offsetof(struct state, result) == 232, "assembly");
_Static_assert(offsetof(struct state, vectors) == 256, "assembly");

typedef void call_fn(const struct state *in, struct state *out);

/* clang-format off */
#define LIST16(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) \
    M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define LIST32(M) LIST16(M) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23) \
    M(24) M(25) M(26) M(27) M(28) M(29) M(30) M(31)
#define LOAD_X(n) "movups 256+64*" #n "(%rdi), %xmm" #n "\n"
#define STORE_X(n) "movups %xmm" #n ", 256+64*" #n "(%rcx)\n"
#define LOAD_Y(n) "vmovups 256+64*" #n "(%rdi), %ymm" #n "\n"
#define STORE_Y(n) "vmovups %ymm" #n ", 256+64*" #n "(%rcx)\n"
#define LOAD_Z(n) "vmovups 256+64*" #n "(%rdi), %zmm" #n "\n"
#define STORE_Z(n) "vmovups %zmm" #n ", 256+64*" #n "(%rcx)\n"
#define RED_FILL(n) "mov 104+8*" #n "(%rdi), %rax\n mov %rax, -128+8*" #n "(%rsp)\n"
#define RED_READ(n) "mov -128+8*" #n "(%rsp), %r11\n mov %r11, 104+8*" #n "(%rcx)\n"

#define CALL(name, site, load, store, end)                                                         \
    call_fn name;                                                                                  \
    __asm__(".text\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n"                      \
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rsi\n"      \
        load                                                                                       \
        "push 96(%rdi)\n popfq\n"                                                                  \
        LIST16(RED_FILL)                                                                           \
        "mov 0(%rdi), %rbx\n mov 8(%rdi), %rbp\n mov 24(%rdi), %rsi\n mov 32(%rdi), %rdx\n"        \
        "mov 40(%rdi), %r8\n mov 48(%rdi), %r9\n mov 56(%rdi), %r10\n mov 64(%rdi), %r12\n"        \
        "mov 72(%rdi), %r13\n mov 80(%rdi), %r14\n mov 88(%rdi), %r15\n mov 16(%rdi), %rdi\n"      \
        site "syscall\n"                                                                           \
        "mov (%rsp), %rcx\n"                                                                       \
        "mov %rax, 232(%rcx)\n mov %rbx, 0(%rcx)\n mov %rbp, 8(%rcx)\n mov %rdi, 16(%rcx)\n"       \
        "mov %rsi, 24(%rcx)\n mov %rdx, 32(%rcx)\n mov %r8, 40(%rcx)\n mov %r9, 48(%rcx)\n"        \
        "mov %r10, 56(%rcx)\n mov %r12, 64(%rcx)\n mov %r13, 72(%rcx)\n mov %r14, 80(%rcx)\n"      \
        "mov %r15, 88(%rcx)\n"                                                                     \
        LIST16(RED_READ)                                                                           \
        "pushfq\n pop %r11\n mov %r11, 96(%rcx)\n"                                                 \
        store end                                                                                  \
        "pop %rsi\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"       \
        ".cfi_endproc\n.size " #name ", .-" #name "\n")

#define CALLS(name, site)                                                                          \
    CALL(name##_sse, site, LIST16(LOAD_X), LIST16(STORE_X), "");                                   \
    CALL(name##_avx, site, LIST16(LOAD_Y), LIST16(STORE_Y), "vzeroupper\n");                       \
    CALL(name##_avx512, site, LIST32(LOAD_Z), LIST32(STORE_Z), "vzeroupper\n")

CALLS(call_write, "mov $1, %eax\n");
CALLS(call_poll, "mov $7, %eax\n");
CALLS(call_lseek, "mov $8, %eax\n");
CALLS(call_gettid, "mov $186, %eax\n");
CALLS(call_futex, "mov $202, %eax\n");
/* The padding behind the function is too far; here is some that nothing reaches. */
CALLS(call_read, "jmp 1f\n .byte 0x0f, 0x1f, 0x44, 0, 0\n 1: xor %eax, %eax\n");
/* clang-format on */

#define FORMS(name)                                                                                \
    {                                                                                              \
        name##_sse, name##_avx, name##_avx512                                                      \
    }
enum { FORM_SSE, FORM_AVX, FORM_AVX512, FORM_COUNT };

struct worker {
    pthread_t thread;
    unsigned index;
    int pipe[2], null, zero;
    uint32_t word;
    uint64_t bytes;
    _Atomic bool wants;
};

static struct worker g_workers[THREADS_MAX];
static long g_threads;
static unsigned g_form;
static _Atomic bool g_end;
static _Atomic uint64_t g_ticks;

enum kind { KIND_WRITE, KIND_POLL, KIND_LSEEK, KIND_GETTID, KIND_FUTEX, KIND_READ, KIND_COUNT };
static const struct {
    const char *name;
    call_fn *forms[FORM_COUNT];
} g_kinds[KIND_COUNT] = {
    [KIND_WRITE] = {"write", FORMS(call_write)},
    [KIND_POLL] = {"poll", FORMS(call_poll)},
    [KIND_LSEEK] = {"lseek", FORMS(call_lseek)},
    [KIND_GETTID] = {"gettid", FORMS(call_gettid)},
    [KIND_FUTEX] = {"futex wait", FORMS(call_futex)},
    [KIND_READ] = {"read", FORMS(call_read)},
};
static _Atomic uint64_t g_rounds[KIND_COUNT];

static void arguments(struct worker *worker, enum kind kind, struct state *in)
{
    switch (kind) {
    case KIND_WRITE:
        in->rdi = (uint64_t)worker->null;
        in->rsi = (uint64_t)worker;
        in->rdx = 1;
        break;
    case KIND_POLL:
        in->rdi = 0;
        in->rsi = 0;
        in->rdx = 1;
        break;
    case KIND_LSEEK:
        in->rdi = (uint64_t)worker->zero;
        in->rsi = 0;
        in->rdx = SEEK_CUR;
        break;
    case KIND_FUTEX:
        in->rdi = (uint64_t)&worker->word;
        in->rsi = FUTEX_WAIT_PRIVATE;
        in->rdx = 1;
        in->r10 = 0;
        break;
    case KIND_READ:
        in->rdi = (uint64_t)worker->pipe[0];
        in->rsi = (uint64_t)&worker->bytes;
        in->rdx = sizeof worker->bytes;
        break;
    default:
        break;
    }
}

static bool result_is_right(enum kind kind, int64_t result)
{
    switch (kind) {
    case KIND_WRITE:
        return result == 1;
    case KIND_POLL:
        return result == 0 || result == -EINTR;
    case KIND_LSEEK:
        return result == 0;
    case KIND_GETTID:
        return result == gettid();
    case KIND_FUTEX:
        return result == -EAGAIN;
    default:
        return result == sizeof(uint64_t) || (result == 0 && atomic_load(&g_end));
    }
}

/* CF, PF, AF, ZF, SF, OF.  Where the number comes from xor, they are what that makes of them. */
static uint64_t flags_expected(enum kind kind, uint64_t flags)
{
    return kind == KIND_READ ? 0x44 : flags & 0x8d5;
}

static bool same_vectors(const struct state *in, const struct state *out)
{
    static const unsigned bytes[] = {16, 32, 64}, count[] = {16, 16, 32};
    for (unsigned i = 0; i < count[g_form]; i++)
        if (memcmp(in->vectors[i], out->vectors[i], bytes[g_form]))
            return false;
    return true;
}

static void call_once(struct worker *worker, enum kind kind, uint64_t seed)
{
    struct state in, out;
    uint64_t *words = (uint64_t *)&in;
    for (unsigned i = 0; i < sizeof in / 8; i++)
        words[i] = victim_mix(seed * 1000 + i);
    in.flags = (in.flags & 0x8d5) | 0x202;
    arguments(worker, kind, &in);
    memset(&out, 0, sizeof out);
    if (kind == KIND_READ)
        atomic_store(&worker->wants, true);
    g_kinds[kind].forms[g_form](&in, &out);
    uint64_t flag_mask = kind == KIND_READ ? 0x8c5 : 0x8d5; /* xor leaves AF undefined */
    VICTIM_CHECK_THAT(result_is_right(kind, (int64_t)out.result), "%s: result %ld",
                      g_kinds[kind].name, (long)out.result);
    VICTIM_CHECK_THAT(!memcmp(&in, &out, offsetof(struct state, flags)),
                      "%s: a general register has changed", g_kinds[kind].name);
    VICTIM_CHECK_THAT((out.flags & flag_mask) == flags_expected(kind, in.flags),
                      "%s: flags %lx, were %lx", g_kinds[kind].name, out.flags, in.flags);
    VICTIM_CHECK_THAT(!memcmp(in.red, out.red, sizeof in.red), "%s: the red zone has changed",
                      g_kinds[kind].name);
    VICTIM_CHECK_THAT(same_vectors(&in, &out), "%s: a vector register has changed",
                      g_kinds[kind].name);
    atomic_fetch_add(&g_rounds[kind], 1);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    for (uint64_t round = worker->index; !atomic_load(&g_end); round++)
        call_once(worker, (enum kind)(round % KIND_COUNT), round << 8 | worker->index);
    return NULL;
}

/* What the readers wait for. */
static void *feeder_main(void *argument)
{
    (void)argument;
    while (!atomic_load(&g_end)) {
        for (long i = 0; i < g_threads; i++) {
            uint64_t value = (uint64_t)i;
            if (atomic_exchange(&g_workers[i].wants, false) &&
                write(g_workers[i].pipe[1], &value, sizeof value) != sizeof value)
                victim_fail("the pipe: errno %d", errno);
        }
        usleep(100);
    }
    for (long i = 0; i < g_threads; i++)
        close(g_workers[i].pipe[1]);
    return NULL;
}

/* Calls of its own, and other values in the vector registers. */
static void tick(int number)
{
    volatile double sum = 0;
    int error = errno;
    for (int i = 1; i < 50; i++)
        sum = sum + 1.0 / i;
    if (write(g_workers[0].null, "x", 1) != 1)
        victim_fail("a call of a handler failed");
    errno = error;
    atomic_fetch_add(&g_ticks, (uint64_t)(number == SIGALRM));
}

static void start_ticking(long tick_us)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, tick_us}, {0, tick_us}};
    sigaction(SIGALRM, &action, NULL);
    if (tick_us && setitimer(ITIMER_REAL, &timer, NULL))
        victim_abort("setitimer");
}

static void start(void)
{
    for (long i = 0; i < g_threads; i++) {
        struct worker *worker = &g_workers[i];
        worker->index = (unsigned)i;
        worker->null = open("/dev/null", O_WRONLY);
        worker->zero = open("/dev/zero", O_RDONLY);
        if (worker->null < 0 || worker->zero < 0 || pipe(worker->pipe))
            victim_abort("descriptors");
    }
    pthread_t feeder;
    if (pthread_create(&feeder, NULL, feeder_main, NULL))
        victim_abort("no thread");
    pthread_detach(feeder);
    for (long i = 0; i < g_threads; i++)
        if (pthread_create(&g_workers[i].thread, NULL, worker_main, &g_workers[i]))
            victim_abort("no thread");
}

static void check(void)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        uint64_t before = atomic_load(&g_rounds[i]);
        for (int ms = 0; ms < 20000 && atomic_load(&g_rounds[i]) < before + 2; ms += 2)
            victim_sleep_ms(2);
        VICTIM_CHECK_THAT(atomic_load(&g_rounds[i]) >= before + 2, "%s: no call came back",
                          g_kinds[i].name);
        victim_value(g_kinds[i].name, "%lu", atomic_load(&g_rounds[i]));
    }
    victim_value("signals", "%lu", atomic_load(&g_ticks));
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_threads = victim_number("threads", 3);
    long tick_us = victim_number("tick_us", 3000);
    if (g_threads < 1 || g_threads > THREADS_MAX)
        victim_abort("threads out of range");
    g_form = __builtin_cpu_supports("avx512bw") ? FORM_AVX512
             : __builtin_cpu_supports("avx")    ? FORM_AVX
                                                : FORM_SSE;
    start_ticking(tick_us);
    start();
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    atomic_store(&g_end, true);
    start_ticking(0);
    for (long i = 0; i < g_threads; i++)
        pthread_join(g_workers[i].thread, NULL);
    return victim_finish();
}
