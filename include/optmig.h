/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For programs that want to know when they are moved.  No program needs it: a move keeps memory,
 * threads and descriptors as they are.  It is for what is better made anew on another host: a
 * generator of random numbers of the program's own, keys, caches of what the host is.
 *
 * Only this header; nothing to link but -pthread for optmig_hook().  C and C++; any libc, static or
 * not.  Without OptMig the generation is 0, the waits fail with ENOSYS, hooks are never called.
 * What any of it costs and promises: docs/freshness.md.
 */
#ifndef OPTMIG_H
#define OPTMIG_H

/* prctl(OPTMIG_PRCTL, request, argument); another kernel answers EINVAL. */
#define OPTMIG_PRCTL 0x4f4d6967
#define OPTMIG_WAIT_MOVED 1 /* argument: a generation */
#define OPTMIG_WAIT_STOP 2  /* argument: milliseconds */
#define OPTMIG_STOP_READY 3
/* More milliseconds than these are taken as these. */
#define OPTMIG_STOP_MAX_MS 100

#ifndef OPTMIG_NUMBERS_ONLY

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t optmig_generation_function(void);

static inline uint64_t optmig_generation_of_none(void)
{
    return 0;
}

/* The symbol of this name in the image of the vDSO, by its dynamic section. */
static inline const void *optmig_vdso_symbol(const char *name)
{
    const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)image;
    const Elf64_Dyn *dynamic = NULL;
    const Elf64_Sym *symbols = NULL;
    const char *names = NULL;
    const uint32_t *hash = NULL;

    if (!image)
        return NULL;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *part =
            (const Elf64_Phdr *)(const void *)(image + header->e_phoff + i * sizeof(Elf64_Phdr));
        if (part->p_type == PT_DYNAMIC)
            dynamic = (const Elf64_Dyn *)(const void *)(image + part->p_offset);
    }
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB)
            symbols = (const Elf64_Sym *)(const void *)(image + dynamic->d_un.d_ptr);
        else if (dynamic->d_tag == DT_STRTAB)
            names = image + dynamic->d_un.d_ptr;
        else if (dynamic->d_tag == DT_HASH)
            hash = (const uint32_t *)(const void *)(image + dynamic->d_un.d_ptr);
    }
    if (!symbols || !names || !hash)
        return NULL;
    for (uint32_t i = 0; i < hash[1]; i++)
        if (symbols[i].st_shndx != SHN_UNDEF && strcmp(names + symbols[i].st_name, name) == 0)
            return image + symbols[i].st_value;
    return NULL;
}

/*
 * 0: this is not an enclave of OptMig.  Else 1 where the program was started, and one more after
 * each move; a move that fails does not count.  Never goes back, and no two hosts that ran the
 * program had the same.  It has grown before the first instruction of the program at a new host,
 * for all threads at once.  No system call: after the first use a call and a load.
 * It is as true as the host is kept from lying; a program cannot prove anything by it.
 */
static inline uint64_t optmig_generation(void)
{
    static optmig_generation_function *found;
    optmig_generation_function *function = __atomic_load_n(&found, __ATOMIC_RELAXED);

    if (!function) {
        const void *symbol = optmig_vdso_symbol("__vdso_optmig_generation");

        function =
            symbol ? (optmig_generation_function *)(uintptr_t)symbol : optmig_generation_of_none;
        __atomic_store_n(&found, function, __ATOMIC_RELAXED);
    }
    return function();
}

/* 0, or -1 with errno. */
static inline int optmig_request(unsigned long request, uint64_t argument)
{
    if (optmig_generation() == 0) {
        errno = ENOSYS;
        return -1;
    }
    return prctl(OPTMIG_PRCTL, request, (unsigned long)argument, 0UL, 0UL);
}

/* Waits until the generation is not this one.  0; -1: EINTR (a handler ran), ENOSYS. */
static inline int optmig_wait_moved(uint64_t generation)
{
    return optmig_request(OPTMIG_WAIT_MOVED, generation);
}

/*
 * Waits until the program is about to be stopped for a move; call optmig_stop_ready() then, from
 * the same thread.  The move waits for that, at most max_ms, while the program runs on; who is late
 * is stopped all the same.  The move may still fail: a stop that was announced need not come.
 * 0; -1: EINTR, ENOSYS.
 */
static inline int optmig_wait_stop(unsigned max_ms)
{
    return optmig_request(OPTMIG_WAIT_STOP, max_ms);
}

static inline void optmig_stop_ready(void)
{
    int saved = errno;

    (void)optmig_request(OPTMIG_STOP_READY, 0);
    errno = saved;
}

/* Both hooks run on threads of their own, made by optmig_hook; NULL: none.  The structure has to
 * stay. */
struct optmig_hooks {
    void (*before_stop)(void *argument);
    unsigned before_stop_ms; /* that a move may wait for it; 0: it is told, and not waited for */
    void (*after_move)(uint64_t generation, void *argument);
    void *argument;
};

static inline void *optmig_before_stop_thread(void *hooks_)
{
    const struct optmig_hooks *hooks = (const struct optmig_hooks *)hooks_;

    for (;;) {
        if (optmig_wait_stop(hooks->before_stop_ms) == 0) {
            hooks->before_stop(hooks->argument);
            optmig_stop_ready();
        } else if (errno != EINTR) {
            return NULL;
        }
    }
}

/* Several moves that come fast may be told as one. */
static inline void *optmig_after_move_thread(void *hooks_)
{
    const struct optmig_hooks *hooks = (const struct optmig_hooks *)hooks_;
    uint64_t seen = 1; /* A move since optmig_hook() is told, also if it was faster. */

    for (;;) {
        uint64_t now = optmig_generation();

        if (now != seen) {
            seen = now;
            hooks->after_move(now, hooks->argument);
        } else if (optmig_wait_moved(seen) != 0 && errno != EINTR) {
            return NULL;
        }
    }
}

/* 0, also without OptMig, when nothing is done; else an error number of pthread_create. */
static inline int optmig_hook(struct optmig_hooks *hooks)
{
    pthread_t thread;
    int error = 0;

    if (optmig_generation() == 0)
        return 0;
    if (hooks->before_stop)
        error = pthread_create(&thread, NULL, optmig_before_stop_thread, hooks);
    if (!error && hooks->before_stop)
        pthread_detach(thread);
    if (!error && hooks->after_move)
        error = pthread_create(&thread, NULL, optmig_after_move_thread, hooks);
    if (!error && hooks->after_move)
        pthread_detach(thread);
    return error;
}

#ifdef __cplusplus
}
#endif

#endif /* OPTMIG_NUMBERS_ONLY */
#endif /* OPTMIG_H */
