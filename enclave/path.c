/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translation of paths that name the program itself (path.h).  Only paths that begin with "/proc/"
 * are copied and looked at; all others cost one peek at six bytes.
 */
#include "enclave/path.h"

#include "enclave/syscall_table.h"
#include "enclave/tables.h"

static const char c_proc[] = "/proc/";
enum { PROC_LENGTH = sizeof(c_proc) - 1 };

/* Reads decimal digits; returns how many there were (0: none, or the number does not fit). */
static size_t take_number(const char *text, uint32_t *out_number)
{
    uint64_t number = 0;
    size_t used = 0;
    while (text[used] >= '0' && text[used] <= '9') {
        number = number * 10 + (uint64_t)(text[used] - '0');
        if (++used > 9)
            return 0;
    }
    *out_number = (uint32_t)number;
    return used;
}

/* After "/proc/": the length of "self", "thread-self" or the program's own id; 0: something else.
 */
static size_t own_directory(const char *name, bool *out_by_number)
{
    uint32_t number = 0;
    size_t used = take_number(name, &number);
    *out_by_number = used != 0;
    if (used != 0)
        return number == g_tables->threads.process_id ? used : 0;
    return strncmp(name, "self", 4) == 0 ? 4 : 0;
}

/* "task/<virtual tid>" at the head of rest becomes "task/<host tid>".  False: leave it as it is. */
static bool rewrite_task(const char *rest, char *buffer)
{
    uint32_t tid = 0;
    uint32_t host_tid = 0;
    if (strncmp(rest, "task/", 5) != 0)
        return false;
    size_t used = take_number(rest + 5, &tid);
    if (used == 0 || thread_translate_tid(tid, &host_tid) != 0)
        return false;
    str_format(buffer, PATH_BUFFER_SIZE, "/proc/self/task/%u%s", host_tid, rest + 5 + used);
    return true;
}

enum path_kind path_rewrite(const char *path, char *buffer)
{
    if (strncmp(path, c_proc, PROC_LENGTH) != 0)
        return PATH_UNCHANGED;
    const char *name = path + PROC_LENGTH;
    bool by_number = false;
    size_t used = own_directory(name, &by_number);
    if (used == 0 || (name[used] != '/' && name[used] != '\0'))
        return PATH_UNCHANGED;
    const char *rest = name + used;
    while (*rest == '/')
        rest++;
    if (strcmp(rest, "exe") == 0 && g_tables->exe_path[0] != '\0') {
        str_copy(buffer, g_tables->exe_path, PATH_BUFFER_SIZE);
        return PATH_EXECUTABLE;
    }
    if (rewrite_task(rest, buffer))
        return PATH_TRANSLATED;
    if (!by_number)
        return PATH_UNCHANGED;
    str_format(buffer, PATH_BUFFER_SIZE, "/proc/self%s", name + used);
    return PATH_TRANSLATED;
}

long path_translate(const struct call *call, unsigned index, char *buffer)
{
    uint64_t address = call->args[index];
    char head[PROC_LENGTH];
    char path[PATH_BUFFER_SIZE];
    if (address == 0)
        return PATH_UNCHANGED;
    if (!call_in_program(address, 1))
        return -EFAULT;
    if (address > PROGRAM_END - PROC_LENGTH ||
        copy_from_program(head, address, sizeof(head)) != 0 ||
        memcmp(head, c_proc, PROC_LENGTH) != 0)
        return PATH_UNCHANGED;
    if (copy_string_from_program(path, address, sizeof(path)) < 0)
        return PATH_UNCHANGED;
    return path_rewrite(path, buffer);
}

long path_argument(const struct call *call, unsigned index, char *buffer, uint64_t *out_path)
{
    long kind = path_translate(call, index, buffer);
    *out_path = kind > PATH_UNCHANGED ? (uint64_t)(uintptr_t)buffer : call->args[index];
    return kind < 0 ? kind : 0;
}
