/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first stack, as the kernel's ABI lays it out.  From the top down: 8 zero bytes, the name of
 * the executable, the environment's strings, the arguments' strings (these two side by side, since
 * programs that change their title write over both), "x86_64", 16 random bytes, the auxiliary
 * vector, the pointers to the environment and the arguments, argc.
 *
 * Strings come from host memory, which may change meanwhile: each is copied once, within bounds,
 * and all that is said about lengths is said about the copy.
 */
#include <asm/unistd.h>
#include <cpuid.h>
#include <linux/auxvec.h>
#include <linux/mman.h>

#include "enclave/loader.h"

enum {
    STRINGS_MAX_bytes = 1920 * 1024, /* with the pointers to them, a quarter of the stack */
    POINTERS_MAX = 16384,
    AUXV_MAX = 24,
    RANDOM_SIZE_bytes = 16,
    CLOCK_TICKS = 100,
    TOP_MARK_bytes = 8,
    /* Of a signal frame without the vector state: what precedes it, padding to 64, and its end
       mark. */
    FRAME_FIXED_bytes = 440 + 16 + 63 + 4,
    XSAVE_LEAF = 0xd,
};

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* All strings one after the other: arguments, environment, name of the executable. */
struct strings {
    char *base;
    size_t used;
    size_t name; /* offset of the executable's name */
    uint32_t arguments, variables;
};

/* Memory of the stack that is not used yet lies below `at`. */
struct stack {
    uint64_t at;
    uint64_t strings, platform, random; /* addresses */
};

static bool append(struct strings *strings, const char *from)
{
    while (strings->used < STRINGS_MAX_bytes) {
        char c = *(const volatile char *)from++;

        strings->base[strings->used++] = c;
        if (c == 0)
            return true;
    }
    return false;
}

static bool append_argument(struct strings *strings, const char *from)
{
    return strings->arguments++ < POINTERS_MAX && append(strings, from);
}

/* argv[0] of a script gives way to `interpreter [argument]`, level by level, and the script. */
static bool append_arguments(struct strings *strings, const struct load *load)
{
    const char *const *from = load->program->argv;
    bool fits = true;

    for (uint32_t i = load->script_levels; i-- > 0 && fits;) {
        const struct script_line *line = &load->scripts[i];

        fits = append_argument(strings, line->interpreter);
        if (fits && line->argument[0])
            fits = append_argument(strings, line->argument);
    }
    if (load->script_levels > 0 && fits) {
        fits = append_argument(strings, load->program->path);
        from += *from != NULL;
    }
    for (; *from && fits; from++)
        fits = append_argument(strings, *from);
    if (strings->arguments == 0 && fits) /* as the kernel does for an empty argv */
        fits = append_argument(strings, "");
    return fits;
}

static bool append_all(struct strings *strings, const struct load *load)
{
    if (!append_arguments(strings, load))
        return false;
    for (const char *const *from = load->program->envp; *from; from++)
        if (strings->variables++ >= POINTERS_MAX || !append(strings, *from))
            return false;
    strings->name = strings->used;
    return append(strings, load->program->path);
}

static uint64_t place(struct stack *stack, const void *from, size_t length)
{
    stack->at = OM_ALIGN_DOWN(stack->at - length, 16);
    memcpy((void *)stack->at, from, length);
    return stack->at;
}

static uint64_t ask_id(long nr)
{
    long id = host_syscall(nr, 0, 0, 0, 0, 0, 0);

    return id < 0 ? 0 : (uint64_t)id;
}

/* Of all vector state that is switched on; a program may not move to a CPU that has less. */
static uint64_t signal_frame_size(void)
{
    uint32_t size = 0, b, c, d;

    __cpuid_count(XSAVE_LEAF, 0, b, size, c, d);
    return OM_ALIGN_UP(FRAME_FIXED_bytes + (uint64_t)size, 16);
}

static uint64_t cpu_features(void)
{
    uint32_t a, b, c, d;

    __cpuid(1, a, b, c, d);
    return d;
}

/* No entries for rseq, which is not supported; no FSGSBASE in AT_HWCAP2, so that programs set FS by
 * a call that the runtime sees. */
static uint32_t make_auxv(const struct load *load, const struct stack *stack, uint64_t name,
                          uint64_t out[2 * AUXV_MAX])
{
    const struct loaded_image *image = &load->executable;
    uint64_t table = image->elf.table_address;
    const uint64_t auxv[][2] = {
        {AT_SYSINFO_EHDR, load->vdso},
        {AT_HWCAP, cpu_features()},
        {AT_PAGESZ, OM_PAGE_SIZE},
        {AT_CLKTCK, CLOCK_TICKS},
        {AT_PHDR, table ? table + image->bias : 0},
        {AT_PHENT, 56},
        {AT_PHNUM, image->elf.table_count},
        {AT_BASE, load->has_interpreter ? load->interpreter.bias : 0},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->elf.entry + image->bias},
        {AT_UID, ask_id(__NR_getuid)},
        {AT_EUID, ask_id(__NR_geteuid)},
        {AT_GID, ask_id(__NR_getgid)},
        {AT_EGID, ask_id(__NR_getegid)},
        {AT_SECURE, 0},
        {AT_RANDOM, stack->random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, name},
        {AT_PLATFORM, stack->platform},
        {AT_MINSIGSTKSZ, signal_frame_size()},
        {AT_NULL, 0},
    };

    _Static_assert(OM_ARRAY_LENGTH(auxv) <= AUXV_MAX, "room for the auxiliary vector");
    memcpy(out, auxv, sizeof(auxv));
    return OM_ARRAY_LENGTH(auxv) * 2;
}

/* Pointers to count strings from *string on, and a null; leaves *string behind them. */
static uint64_t *put_pointers(uint64_t *to, uint32_t count, uint64_t *string)
{
    for (uint32_t i = 0; i < count; i++) {
        *to++ = *string;
        *string += strlen((const char *)*string) + 1;
    }
    *to++ = 0;
    return to;
}

static uint64_t put_vectors(const struct load *load, const struct strings *strings,
                            const struct stack *stack)
{
    uint64_t auxv[2 * AUXV_MAX], string = stack->strings, *to, *start;
    uint32_t words = make_auxv(load, stack, stack->strings + strings->name, auxv);
    uint64_t total = 1 + strings->arguments + 1 + strings->variables + 1 + words;

    start = to = (uint64_t *)OM_ALIGN_DOWN(stack->at - total * sizeof(*to), 16);
    *to++ = strings->arguments;
    to = put_pointers(to, strings->arguments, &string);
    to = put_pointers(to, strings->variables, &string);
    memcpy(to, auxv, words * sizeof(*to));
    return (uint64_t)start;
}

long load_build_stack(const struct load *load)
{
    struct strings strings = {.base = local_alloc(STRINGS_MAX_bytes)};
    struct stack stack = {.at = STACK_TOP - TOP_MARK_bytes};
    uint32_t prot =
        PROT_READ | PROT_WRITE | (load->executable.elf.executable_stack ? PROT_EXEC : 0);
    uint8_t random[RANDOM_SIZE_bytes];
    long error;

    if (!append_all(&strings, load))
        return load_fail(load, -E2BIG, "%s: its arguments and environment are too large",
                         load->program->path);
    error = mm_map_vacant(STACK_TOP - STACK_SIZE, STACK_SIZE, prot, AREA_STACK, 0, "[stack]");
    if (error)
        return load_fail(load, error, "%s: no room for its stack", load->program->path);
    random_bytes(random, sizeof(random));
    stack.strings = place(&stack, strings.base, strings.used);
    stack.platform = place(&stack, "x86_64", sizeof("x86_64"));
    stack.random = place(&stack, random, sizeof(random));
    return (long)put_vectors(load, &strings, &stack);
}
