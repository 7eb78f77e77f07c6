/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that name the program itself.  /proc/self of the host process is not quite the program's:
 * its executable is the host's, and the program knows itself by virtual process and thread ids.
 *
 *   /proc/self/exe, /proc/<pid>/exe     the program's executable (tables.exe_path)
 *   /proc/<pid>/...                     /proc/self/...
 *   /proc/.../task/<tid>/...            the host's thread id
 *
 * This is for the program's convenience, not a wall: the same files are reached by relative paths.
 */
#pragma once

#include "enclave/syscall.h"

enum { PATH_BUFFER_SIZE = 4096 };

enum path_kind {
    PATH_UNCHANGED,  /* buffer not filled: hand the program's own pointer to the kernel */
    PATH_TRANSLATED, /* buffer holds the path to use instead */
    PATH_EXECUTABLE, /* the same, and it was the link to the program's executable (for readlink) */
};

/* Looks at the path that argument `index` points to.  A pointer outside of the program's memory
 * gives -EFAULT; NULL and strings that cannot be read are left to the kernel (PATH_UNCHANGED).
 * Returns enum path_kind or -errno.  The buffer has PATH_BUFFER_SIZE bytes. */
long path_translate(const struct call *call, unsigned index, char *buffer);

/* What the kernel is to be given for argument `index`: `buffer` after a translation, else the
 * program's pointer. 0 or -errno.  The usual way in:
 *     char buffer[PATH_BUFFER_SIZE];
 *     uint64_t path;
 *     long error = path_argument(call, 1, buffer, &path); */
long path_argument(const struct call *call, unsigned index, char *buffer, uint64_t *out_path);

/* The same on a string of the runtime's: rewrites `path` into `buffer`. Returns enum path_kind. */
enum path_kind path_rewrite(const char *path, char *buffer);
