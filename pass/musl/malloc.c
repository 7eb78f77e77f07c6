/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The malloc of programs that optmig-cc makes: mimalloc, in place of musl's own, which takes one
 * lock for all threads. pass/musl/build compiles it with the sources of Debian's package of
 * mimalloc, and puts the object into libc.a.
 *
 * Of its names only those below are seen by others, and they are weak: a program may have a malloc
 * of its own.
 */
#define MI_NO_GETENV                                                                               \
    1 /* MIMALLOC_LARGE_OS_PAGES=1 and its like would be a way around what is set here. */
#define MI_SKIP_COLLECT_ON_EXIT 1 /* All of the memory goes away then. */
/* A program of plain C may have functions of these names; musl's own malloc calls these too. */
#define mmap __mmap
#define munmap __munmap
#define madvise __madvise
#define mprotect __mprotect
#define clock_gettime __clock_gettime
#define pthread_key_create __pthread_key_create
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Memory that cannot be there is refused at once, as musl's malloc does, and not when it is
 * touched. */
#undef MAP_NORESERVE
#define MAP_NORESERVE 0

/* It would read /proc/sys/vm/overcommit_memory before main: in an enclave another host's tomorrow.
 * All that it would learn is whether to ask for MAP_NORESERVE. */
#define open(...) (-1)
#include "static.c"
#undef open

/* Its errors are its own; the caller of malloc wants to be told that there is no memory. */
static void set_errno(int error, void *argument)
{
    (void)argument;
    errno = error == EOVERFLOW ? ENOMEM : error;
}

/* Before the constructors of programs.  A thread's first segment is made accessible as a whole: it
 * costs no memory until it is used, and otherwise each piece would be an area of its own in the
 * enclave's map.  Nodes are not asked for: they are the host's, and the program will be elsewhere.
 */
__attribute__((constructor(101))) static void set_options(void)
{
    mi_option_set_default(mi_option_eager_commit_delay, 0);
    mi_option_set_default(mi_option_use_numa_nodes, 1);
    mi_register_error(set_errno, NULL);
}

#define ALIAS_OF(name) __attribute__((alias(#name)))
void *malloc(size_t size) ALIAS_OF(mi_malloc);
void *realloc(void *block, size_t size) ALIAS_OF(mi_realloc);
void free(void *block) ALIAS_OF(mi_free);
size_t malloc_usable_size(void *block) ALIAS_OF(mi_usable_size);

/* mimalloc says nothing of a product that is too large. */
void *calloc(size_t count, size_t size)
{
    void *block = mi_calloc(count, size);
    if (!block)
        errno = ENOMEM;
    return block;
}

/* What musl allocates for itself, also where a program has a malloc of its own. */
void *__libc_malloc(size_t size) ALIAS_OF(mi_malloc);
void *__libc_calloc(size_t count, size_t size) ALIAS_OF(calloc);
void *__libc_realloc(void *block, size_t size) ALIAS_OF(mi_realloc);
void __libc_free(void *block) ALIAS_OF(mi_free);

/* musl's memalign and posix_memalign call it. */
void *aligned_alloc(size_t alignment, size_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return mi_malloc_aligned(size, alignment);
}
