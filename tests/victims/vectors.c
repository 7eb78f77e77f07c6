/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that lives in registers only: each kind of register is loaded with known values, a loop
 * that does not touch them runs for some milliseconds, and they are stored and compared.  General
 * registers and flags, x87, MXCSR, SSE, AVX, AVX-512 with masks.  One thread for each, in turn.
 *
 *   loops=N (thousands; how long a register has to hold its value)   threads=2
 */
#include <cpuid.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/lib/victim.h"

enum { THREADS_MAX = 16, STATE_BYTES = 32 * 64 + 8 * 8 };

typedef void spin_fn(const uint8_t *in, uint8_t *out, uint64_t loops);

/* clang-format off */
#define LIST16(M, step) \
    M(0, step) M(1, step) M(2, step) M(3, step) \
    M(4, step) M(5, step) M(6, step) M(7, step) \
    M(8, step) M(9, step) M(10, step) M(11, step) \
    M(12, step) M(13, step) M(14, step) M(15, step)
#define LIST16_HIGH(M, step) \
    M(16, step) M(17, step) M(18, step) M(19, step) \
    M(20, step) M(21, step) M(22, step) M(23, step) \
    M(24, step) M(25, step) M(26, step) M(27, step) \
    M(28, step) M(29, step) M(30, step) M(31, step)
/* clang-format on */
#define SPIN "1: dec %2\n jnz 1b\n"

#define LOAD_X(n, step) "movups " #n "*" #step "(%0), %%xmm" #n "\n"
#define STORE_X(n, step) "movups %%xmm" #n ", " #n "*" #step "(%1)\n"
#define LOAD_Y(n, step) "vmovups " #n "*" #step "(%0), %%ymm" #n "\n"
#define STORE_Y(n, step) "vmovups %%ymm" #n ", " #n "*" #step "(%1)\n"
#define LOAD_Z(n, step) "vmovups " #n "*" #step "(%0), %%zmm" #n "\n"
#define STORE_Z(n, step) "vmovups %%zmm" #n ", " #n "*" #step "(%1)\n"
#define LOAD_K(n) "kmovq 2048+8*" #n "(%0), %%k" #n "\n"
#define STORE_K(n) "kmovq %%k" #n ", 2048+8*" #n "(%1)\n"
#define XMM_LOW                                                                                    \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void spin_sse(const uint8_t *in, uint8_t *out, uint64_t loops)
{
    __asm__ volatile(LIST16(LOAD_X, 16) SPIN LIST16(STORE_X, 16)
                     : "+r"(in), "+r"(out), "+r"(loops)
                     :
                     : "memory", "cc", XMM_LOW);
}

static __attribute__((target("avx"))) void spin_avx(const uint8_t *in, uint8_t *out, uint64_t loops)
{
    __asm__ volatile(LIST16(LOAD_Y, 32) SPIN LIST16(STORE_Y, 32) "vzeroupper\n"
                     : "+r"(in), "+r"(out), "+r"(loops)
                     :
                     : "memory", "cc", XMM_LOW);
}

static __attribute__((target("avx512f,avx512bw"))) void spin_avx512(const uint8_t *in, uint8_t *out,
                                                                    uint64_t loops)
{
    __asm__ volatile(LIST16(LOAD_Z, 64) LIST16_HIGH(LOAD_Z, 64) LOAD_K(0) LOAD_K(1) LOAD_K(2)
                         LOAD_K(3) LOAD_K(4) LOAD_K(5) LOAD_K(6) LOAD_K(7) SPIN LIST16(STORE_Z, 64)
                             LIST16_HIGH(STORE_Z, 64) STORE_K(0) STORE_K(1) STORE_K(2) STORE_K(3)
                                 STORE_K(4) STORE_K(5) STORE_K(6) STORE_K(7) "vzeroupper\n"
                     : "+r"(in), "+r"(out), "+r"(loops)
                     :
                     : "memory", "cc", XMM_LOW, "xmm16", "xmm17", "xmm18", "xmm19", "xmm20",
                       "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
                       "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
}

/* Eight 80-bit values on the stack, and a control word with another rounding. */
static void spin_x87(const uint8_t *in, uint8_t *out, uint64_t loops)
{
    long double value[8];
    uint16_t control, wanted = 0x0f7f, found;
    for (int i = 0; i < 8; i++)
        value[i] = (long double)in[i] + (long double)in[i + 8] / 257.0L;
    long double back[8];
    memset(back, 0, sizeof back);
    __asm__ volatile("fnstcw %3\n fninit\n fldcw %4\n"
                     "fldt 0(%0)\n fldt 16(%0)\n fldt 32(%0)\n fldt 48(%0)\n"
                     "fldt 64(%0)\n fldt 80(%0)\n fldt 96(%0)\n fldt 112(%0)\n" SPIN
                     "fstpt 112(%1)\n fstpt 96(%1)\n fstpt 80(%1)\n fstpt 64(%1)\n"
                     "fstpt 48(%1)\n fstpt 32(%1)\n fstpt 16(%1)\n fstpt 0(%1)\n"
                     "fnstcw %5\n fninit\n fldcw %3\n"
                     : "+r"((const void *){value}), "+r"((void *){back}), "+r"(loops), "=m"(control)
                     : "m"(wanted), "m"(found)
                     : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
                       "st(7)");
    bool same = found == wanted;
    for (int i = 0; i < 8; i++)
        same = same && back[i] == value[i];
    memcpy(out, in, STATE_BYTES);
    if (!same)
        out[0] = (uint8_t)~in[0];
}

static void spin_mxcsr(const uint8_t *in, uint8_t *out, uint64_t loops)
{
    uint32_t before, wanted = 0xff80, found; /* round to zero, flush to zero, all masked */
    __asm__ volatile("stmxcsr %1\n ldmxcsr %2\n 1: dec %0\n jnz 1b\n stmxcsr %3\n ldmxcsr %1\n"
                     : "+r"(loops), "=m"(before)
                     : "m"(wanted), "m"(found)
                     : "cc", "memory");
    memcpy(out, in, STATE_BYTES);
    if (found != wanted)
        out[0] = (uint8_t)~in[0];
}

/* spin_registers(in, out, loops): 13 general registers, and the carry and direction flags. */
void spin_registers(const uint8_t *in, uint8_t *out, uint64_t loops);
__asm__(".text\n"
        ".type spin_registers, @function\n"
        "spin_registers:\n"
        "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n push %rsi\n"
        "mov %rdx, %rcx\n"
        "mov 0(%rdi), %rax\n mov 8(%rdi), %rbx\n mov 16(%rdi), %rdx\n mov 24(%rdi), %rsi\n"
        "mov 32(%rdi), %rbp\n mov 40(%rdi), %r8\n mov 48(%rdi), %r9\n mov 56(%rdi), %r10\n"
        "mov 64(%rdi), %r11\n mov 72(%rdi), %r12\n mov 80(%rdi), %r13\n mov 88(%rdi), %r14\n"
        "mov 96(%rdi), %r15\n"
        "std\n stc\n"
        "1: dec %rcx\n jnz 1b\n" /* dec leaves the carry alone */
        "pushfq\n pop %rcx\n cld\n"
        "pop %rdi\n"
        "mov %rax, 0(%rdi)\n mov %rbx, 8(%rdi)\n mov %rdx, 16(%rdi)\n mov %rsi, 24(%rdi)\n"
        "mov %rbp, 32(%rdi)\n mov %r8, 40(%rdi)\n mov %r9, 48(%rdi)\n mov %r10, 56(%rdi)\n"
        "mov %r11, 64(%rdi)\n mov %r12, 72(%rdi)\n mov %r13, 80(%rdi)\n mov %r14, 88(%rdi)\n"
        "mov %r15, 96(%rdi)\n"
        "and $0x401, %ecx\n mov %rcx, 104(%rdi)\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
        "ret\n"
        ".size spin_registers, .-spin_registers\n");

static const struct kind {
    const char *name;
    spin_fn *spin;
    unsigned bytes; /* compared */
    const char *feature;
} g_kinds[] = {
    {"registers", spin_registers, 112, NULL},
    {"sse", spin_sse, 16 * 16, NULL},
    {"avx", spin_avx, 16 * 32, "avx"},
    {"avx512", spin_avx512, STATE_BYTES, "avx512bw"},
    {"x87", spin_x87, 16, NULL},
    {"mxcsr", spin_mxcsr, 16, NULL},
};
enum { KINDS = sizeof g_kinds / sizeof g_kinds[0] };

static _Atomic uint64_t g_rounds[KINDS];
static _Atomic bool g_end;
static uint64_t g_loops;

static bool supported(const struct kind *k)
{
    if (!k->feature)
        return true;
    return k->spin == spin_avx ? __builtin_cpu_supports("avx") : __builtin_cpu_supports("avx512bw");
}

static void spin_once(unsigned index, uint64_t seed)
{
    const struct kind *k = &g_kinds[index];
    uint8_t in[STATE_BYTES], out[STATE_BYTES];
    for (unsigned i = 0; i < STATE_BYTES; i += 8) {
        uint64_t value = victim_mix(seed + i);
        memcpy(in + i, &value, 8);
    }
    if (k->spin == spin_registers) {
        uint64_t flags = 0x401;
        memcpy(in + 104, &flags, 8);
    }
    memset(out, 0, sizeof out);
    k->spin(in, out, g_loops);
    if (memcmp(in, out, k->bytes))
        victim_fail("%s: a register lost its value", k->name);
    atomic_fetch_add(&g_rounds[index], 1);
}

static void *spinner_main(void *argument)
{
    unsigned first = (unsigned)(uintptr_t)argument;
    for (uint64_t round = 0; !atomic_load(&g_end); round++) {
        unsigned index = (unsigned)((first + round) % KINDS);
        if (supported(&g_kinds[index]))
            spin_once(index, (round << 8) + first);
    }
    return NULL;
}

/* Every kind has finished a round since the last check, a whole one since this was asked. */
static void check(void)
{
    for (unsigned i = 0; i < KINDS; i++) {
        uint64_t before = atomic_load(&g_rounds[i]);
        if (!supported(&g_kinds[i])) {
            victim_value(g_kinds[i].name, "not on this machine");
            continue;
        }
        for (int ms = 0; ms < 20000 && atomic_load(&g_rounds[i]) < before + 2; ms += 2)
            victim_sleep_ms(2);
        VICTIM_CHECK_THAT(atomic_load(&g_rounds[i]) >= before + 2, "%s: no round was finished",
                          g_kinds[i].name);
        victim_value(g_kinds[i].name, "%lu", atomic_load(&g_rounds[i]));
    }
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_loops = (uint64_t)victim_number("loops", 30000) * 1000;
    long threads = victim_number("threads", 2);
    pthread_t thread[THREADS_MAX];
    if (threads < 1 || threads > THREADS_MAX)
        victim_abort("threads out of range");
    for (long t = 0; t < threads; t++) {
        if (pthread_create(&thread[t], NULL, spinner_main, (void *)(uintptr_t)(t * 3)))
            victim_abort("no thread");
    }
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    atomic_store(&g_end, true);
    for (long t = 0; t < threads; t++)
        pthread_join(thread[t], NULL);
    return victim_finish();
}
