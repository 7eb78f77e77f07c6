/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The enclave's log: lines written to a descriptor that the host named at creation.  One write(2)
 * per line, so lines of several threads do not mix.  No lock, no memory but the stack: it may be
 * called anywhere, also with the tables absent or broken.
 */
#include <asm/unistd.h>

#include "enclave/runtime.h"

enum { LINE_MAX_bytes = 1024, STDERR = 2 };

static const char *level_name(enum om_log_level level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};

    return (unsigned)level < OM_ARRAY_LENGTH(names) ? names[level] : "?";
}

static void write_line(int fd, enum om_log_level level, const char *format,
                       __builtin_va_list arguments)
{
    char line[LINE_MAX_bytes];
    size_t used, room = sizeof(line) - 1; /* one byte is kept for the end of the line */

    used = (size_t)str_format(line, room, "optmig[%s] %s: ", g_facts.name, level_name(level));
    used += (size_t)str_vformat(line + used, room - used, format, arguments);
    used = OM_MIN(used, room - 1);
    line[used++] = '\n';
    (void)host_syscall(__NR_write, (uint64_t)fd, (uint64_t)line, used, 0, 0, 0);
}

void log_line(enum om_log_level level, const char *format, ...)
{
    __builtin_va_list arguments;

    if (g_facts.log_fd < 0 || (uint32_t)level > g_facts.log_level || !g_host.syscall)
        return;
    __builtin_va_start(arguments, format);
    write_line(g_facts.log_fd, level, format, arguments);
    __builtin_va_end(arguments);
}

static void write_last_words(int fd, const char *format, ...) OM_PRINTF(2, 3);

static void write_last_words(int fd, const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    write_line(fd, OM_LOG_ERROR, format, arguments);
    __builtin_va_end(arguments);
}

void runtime_abort(const char *file, int line, const char *what)
{
    if (g_host.syscall) {
        write_last_words(
            g_facts.log_fd >= 0 ? g_facts.log_fd : STDERR,
            "the runtime gives up at %s:%d (%s): a bug of its own, or a host that lies", file, line,
            what);
        (void)host_syscall(__NR_exit_group, OM_ABORT_STATUS, 0, 0, 0, 0, 0);
    }
    for (;;)
        __builtin_trap();
}
