/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a program as execve(2) would: follows `#!` lines, maps the executable and its interpreter
 * (ld.so), the vDSO and the stack, and sets the first thread's registers.  Runs once, on an ECALL,
 * before the program has a thread.
 *
 * Files are the business of whoever runs the program: each is decoded and checked in full (elf.c)
 * before anything of it is mapped, and what is wrong is said in words that name it.
 */
#include "enclave/loader.h"

#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/stat.h>

#include "enclave/fast_calls.h"
#include "enclave/tables.h"

enum { NOTES_MAX_bytes = 1 << 20 };
enum { X_OK = 1, FLAGS_AT_START = 0x202, USER_CODE = 0x33, USER_DATA = 0x2b };

/* An open file that is to be loaded. */
struct source {
    const char *path;
    int fd;
    uint64_t size;
};

long load_fail(const struct load *load, long error, const char *format, ...)
{
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    str_vformat(load->reason, load->capacity, format, arguments);
    __builtin_va_end(arguments);
    return error;
}

static const char *error_words(long error)
{
    switch (-error) {
    case ENOENT:
        return "no such file";
    case EACCES:
        return "permission denied";
    case EISDIR:
        return "is a directory";
    case ENOTDIR:
        return "a part of its path is not a directory";
    case ELOOP:
        return "too many symbolic links";
    case ENAMETOOLONG:
        return "its name is too long";
    case ENOMEM:
        return "not enough memory";
    case EEXIST:
        return "does not fit where it was linked";
    case EMFILE:
    case ENFILE:
        return "too many open files";
    case EIO:
        return "input/output error";
    default:
        return "cannot be read";
    }
}

static long fail_file(const struct load *load, const char *path, long error)
{
    return load_fail(load, error, "%s: %s", path, error_words(error));
}

/* ---- Files ---- */

static void source_close(const struct source *source)
{
    (void)host_syscall(__NR_close, (uint64_t)source->fd, 0, 0, 0, 0, 0);
}

static long check_source(struct source *source)
{
    struct stat status;
    long error = host_syscall(__NR_fstat, (uint64_t)source->fd, (uint64_t)&status, 0, 0, 0, 0);

    if (error)
        return error;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    if (!S_ISREG(status.st_mode))
        return -EACCES;
    source->size = (uint64_t)status.st_size;
    return host_syscall(__NR_faccessat, (uint64_t)AT_FDCWD, (uint64_t)source->path, X_OK, 0, 0, 0);
}

static long source_open(const struct load *load, const char *path, struct source *out)
{
    long fd = host_syscall(__NR_openat, (uint64_t)AT_FDCWD, (uint64_t)path, O_RDONLY | O_CLOEXEC, 0,
                           0, 0);
    long error;

    if (fd < 0)
        return fail_file(load, path, fd);
    *out = (struct source){.path = path, .fd = (int)fd};
    error = check_source(out);
    if (error) {
        source_close(out);
        return fail_file(load, path, error == -EISDIR ? -EACCES : error);
    }
    return 0;
}

/* All of length, or an error. */
static long read_exactly(const struct source *source, void *to, size_t length, uint64_t offset)
{
    size_t done = 0;

    while (done < length) {
        long got = host_syscall(__NR_pread64, (uint64_t)source->fd, (uint64_t)to + done,
                                length - done, offset + done, 0, 0);

        if (got == -EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? got : -EIO;
        done += (size_t)got;
    }
    return 0;
}

/* ---- Scripts ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* head is the file's first SCRIPT_LINE_bytes, followed by zeros.  Interpreter: the first word;
 * argument: all the rest of the line, without blanks at its ends. */
static bool parse_script(const char *head, struct script_line *out)
{
    const char *at = head + 2, *end = at, *word;
    bool cut;

    while (end < head + SCRIPT_LINE_bytes && *end != '\n' && *end != 0)
        end++;
    cut = end == head + SCRIPT_LINE_bytes;
    while (at < end && is_blank(*at))
        at++;
    for (word = at; at < end && !is_blank(*at); at++)
        ;
    if (at == word || (cut && at == end)) /* of a cut line at least the interpreter must be whole */
        return false;
    str_copy(out->interpreter, word, (size_t)(at - word) + 1);
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    str_copy(out->argument, at, (size_t)(end - at) + 1);
    return true;
}

static long follow_script(struct load *load, const struct source *source, const char *head)
{
    if (load->script_levels == SCRIPT_LEVELS_MAX)
        return load_fail(load, -ELOOP, "%s: too many levels of `#!` interpreters",
                         load->program->path);
    if (!parse_script(head, &load->scripts[load->script_levels]))
        return load_fail(load, -ENOEXEC, "%s: bad `#!` line", source->path);
    load->script_levels++;
    return 0;
}

/* Opens the program, or for scripts what is at the end of the chain of interpreters. */
static long open_executable(struct load *load, struct source *out)
{
    const char *path = load->program->path;

    for (;;) {
        char head[SCRIPT_LINE_bytes + 1] = {0};
        long error = source_open(load, path, out);

        if (error)
            return error;
        error = read_exactly(out, head, OM_MIN(out->size, (uint64_t)SCRIPT_LINE_bytes), 0);
        if (error)
            error = fail_file(load, path, error);
        else if (head[0] != '#' || head[1] != '!')
            return 0;
        else
            error = follow_script(load, out, head);
        source_close(out);
        if (error)
            return error;
        path = load->scripts[load->script_levels - 1].interpreter;
    }
}

/* ---- ELF ---- */

static long decode(const struct load *load, const struct source *source, struct elf_image *out)
{
    static uint8_t *table;
    uint8_t head[ELF_HEADER_SIZE_bytes];
    size_t size = OM_MIN(source->size, sizeof(head));
    char why[OM_REASON_MAX / 2];
    long error = read_exactly(source, head, size, 0);

    if (error)
        return fail_file(load, source->path, error);
    if (!table)
        table = local_alloc(ELF_TABLE_MAX_bytes);
    error = elf_decode_header(head, size, source->size, out, why, sizeof(why));
    if (!error) {
        error = read_exactly(source, table, (size_t)out->table_count * 56, out->table_offset);
        if (error)
            return fail_file(load, source->path, error);
        error = elf_decode_table(table, source->size, out, why, sizeof(why));
    }
    return error ? load_fail(load, error, "%s: %s", source->path, why) : 0;
}

static long map_file_part(const struct source *source, const struct elf_segment *segment,
                          uint64_t address, uint64_t *out_end)
{
    uint64_t start = OM_ALIGN_DOWN(address, OM_PAGE_SIZE), file_end = address + segment->file_size;
    uint64_t end = OM_ALIGN_UP(file_end, OM_PAGE_SIZE);
    long error =
        mm_map_vacant(start, end - start, PROT_READ | PROT_WRITE, AREA_FILE, 0, source->path);

    if (!error)
        error = mm_read_file(start, end - start, source->fd,
                             OM_ALIGN_DOWN(segment->file_offset, OM_PAGE_SIZE));
    if (error)
        return error;
    if (segment->prot & PROT_EXEC)
        fast_calls_patch(start, end - start, source->fd,
                         OM_ALIGN_DOWN(segment->file_offset, OM_PAGE_SIZE));
    if (segment->memory_size > segment->file_size)
        memset((void *)file_end, 0, end - file_end);
    *out_end = end;
    return mm_protect(start, end - start, segment->prot);
}

/* Whole pages, as the kernel maps them: the file's bytes around the segment are there too. */
static long map_segment(const struct source *source, const struct elf_segment *segment,
                        uint64_t bias)
{
    uint64_t address = segment->address + bias, start = OM_ALIGN_DOWN(address, OM_PAGE_SIZE);
    uint64_t end = OM_ALIGN_UP(address + segment->memory_size, OM_PAGE_SIZE);

    if (segment->file_size > 0) {
        long error = map_file_part(source, segment, address, &start);

        if (error)
            return error;
    }
    if (start >= end)
        return 0;
    return mm_map_vacant(start, end - start, segment->prot, AREA_ANONYMOUS, 0, NULL);
}

static long map_image(const struct load *load, const struct source *source,
                      const struct loaded_image *image)
{
    for (uint32_t i = 0; i < image->elf.segment_count; i++) {
        long error = map_segment(source, &image->elf.segments[i], image->bias);

        if (error)
            return fail_file(load, source->path, error);
    }
    return 0;
}

/* ---- Instrumented programs (cards.h) ---- */

static long read_notes(const struct load *load, const struct source *source,
                       const struct elf_notes *notes, enum card_notes *out)
{
    static uint8_t *buffer;
    long error;

    if (notes->size > NOTES_MAX_bytes) {
        *out = CARD_NOTES_BAD;
        return 0;
    }
    if (!buffer)
        buffer = local_alloc(NOTES_MAX_bytes);
    error = read_exactly(source, buffer, notes->size, notes->file_offset);
    if (error)
        return fail_file(load, source->path, error);
    *out = card_notes_decode(buffer, notes->size, notes->alignment);
    return 0;
}

/* Card table and poll page are memory of the executable, without contents in the file. */
static bool has_card_table(const struct elf_image *elf)
{
    const uint64_t end = CARD_POLL_BASE + CARD_POLL_SIZE;
    uint64_t covered = CARD_TABLE_BASE;

    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segments[i];
        uint64_t empty = OM_ALIGN_UP(segment->address + segment->file_size, OM_PAGE_SIZE);
        uint64_t stop = OM_ALIGN_UP(segment->address + segment->memory_size, OM_PAGE_SIZE);

        if (segment->file_size == 0)
            empty = OM_ALIGN_DOWN(segment->address, OM_PAGE_SIZE);
        if (empty <= covered && stop > covered && segment->prot == (PROT_READ | PROT_WRITE))
            covered = stop;
    }
    return covered >= end;
}

/* Its table is a piece of memory of its own kind, which sweeps pass over. */
static long use_cards(const struct load *load, const struct source *source)
{
    const uint32_t prot = PROT_READ | PROT_WRITE;
    long error = mm_map_fixed(CARD_TABLE_BASE, CARD_COUNT, prot, AREA_CARDS, 0, "[cards]");

    if (!error)
        error = mm_map_fixed(CARD_POLL_BASE, CARD_POLL_SIZE, prot, AREA_CARDS, 0, "[poll]");
    if (error)
        return fail_file(load, source->path, error);
    g_tables->clock.cards = CARD_TABLE_BASE;
    g_tables->barrier.code_start = load->executable.elf.low;
    g_tables->barrier.code_end = load->executable.elf.high;
    return 0;
}

static long recognise_cards(struct load *load, const struct source *source)
{
    const struct elf_image *elf = &load->executable.elf;

    bool table = !elf->position_independent && has_card_table(elf);
    long error = 0;

    load->notes = CARD_NOTES_NONE;
    for (uint32_t i = 0; i < elf->note_count && !error; i++) {
        enum card_notes notes = CARD_NOTES_NONE;

        error = read_notes(load, source, &elf->notes[i], &notes);
        load->notes = card_notes_join(load->notes, notes);
    }
    if (error)
        return error;
    if (load->notes == CARD_NOTES_FULL && (elf->interpreter_size || !table))
        load->notes = CARD_NOTES_BAD;
    if (load->notes == CARD_NOTES_FULL)
        error = use_cards(load, source);
    else if (load->program->tracker == OM_TRACKER_BARRIER)
        error = load_fail(load, -ENOEXEC, "%s: %s", source->path, card_notes_words(load->notes));
    if (!error && table)
        *(volatile uint8_t *)CARD_TABLE_BASE = CARD_DIRTY; /* cards.s: the table is enough here */
    return error;
}

static long load_executable(struct load *load, const struct source *source)
{
    struct loaded_image *image = &load->executable;
    long error = decode(load, source, &image->elf);

    if (error)
        return error;
    if (image->elf.position_independent)
        image->bias = PROGRAM_PIE_BASE - image->elf.low;
    error = map_image(load, source, image);
    if (!error)
        mm_brk_create(image->elf.high + image->bias);
    return error ? error : recognise_cards(load, source);
}

static long load_interpreter_file(struct load *load, const struct source *source)
{
    struct loaded_image *image = &load->interpreter;
    long error = decode(load, source, &image->elf);
    uint64_t size = image->elf.high - image->elf.low;

    if (error)
        return error;
    if (image->elf.position_independent) {
        const struct mm_room room = {PROGRAM_BASE, MAP_TOP, image->elf.alignment};
        long place = mm_map_within(&room, size, PROT_NONE, AREA_ANONYMOUS, 0, NULL);

        if (place < 0)
            return fail_file(load, source->path, place);
        (void)mm_unmap((uint64_t)place, size);
        image->bias = (uint64_t)place - image->elf.low;
    }
    load->has_interpreter = true;
    return map_image(load, source, image);
}

static long load_interpreter(struct load *load, const struct source *executable)
{
    const struct elf_image *elf = &load->executable.elf;
    char path[ELF_INTERPRETER_MAX_bytes];
    struct source source;
    long error;

    if (!elf->interpreter_size)
        return 0;
    error = read_exactly(executable, path, elf->interpreter_size, elf->interpreter_offset);
    if (error)
        return fail_file(load, executable->path, error);
    if (path[elf->interpreter_size - 1] != 0)
        return load_fail(load, -ENOEXEC, "%s: the name of its program interpreter has no end",
                         executable->path);
    error = source_open(load, path, &source);
    if (error)
        return load_fail(load, error, "%s: its program interpreter %s: %s", executable->path, path,
                         error_words(error));
    error = load_interpreter_file(load, &source);
    source_close(&source);
    return error;
}

/* ---- The whole ---- */

/* As /proc/self/exe is to show it. */
static void note_path(const struct source *source)
{
    char link[32];
    long length;

    str_format(link, sizeof(link), "/proc/self/fd/%d", source->fd);
    length = host_syscall(__NR_readlink, (uint64_t)link, (uint64_t)g_tables->exe_path,
                          sizeof(g_tables->exe_path) - 1, 0, 0, 0);
    g_tables->exe_path[length > 0 ? length : 0] = 0;
    if (length <= 0)
        str_copy(g_tables->exe_path, source->path, sizeof(g_tables->exe_path));
}

static const char *base_name(const char *path)
{
    const char *base = path;

    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

static void set_registers(const struct load *load, struct thread *first, uint64_t stack)
{
    const struct loaded_image *start =
        load->has_interpreter ? &load->interpreter : &load->executable;
    uint64_t sigmask = first->cpu.sigmask;

    memset(&first->cpu, 0, sizeof(first->cpu));
    first->cpu.sigmask = sigmask;
    first->cpu.regs.rip = start->elf.entry + start->bias;
    first->cpu.regs.rsp = stack;
    first->stack_top = stack;
    first->cpu.regs.eflags = FLAGS_AT_START;
    first->cpu.regs.cs = USER_CODE;
    first->cpu.regs.ss = USER_DATA;
    str_copy(first->name, base_name(load->program->path), sizeof(first->name));
}

static long load_files(struct load *load)
{
    struct source source;
    long error = open_executable(load, &source);

    if (error)
        return error;
    error = load_executable(load, &source);
    if (!error)
        error = load_interpreter(load, &source);
    if (!error)
        note_path(&source);
    source_close(&source);
    return error;
}

long loader_load(const struct program *program, struct thread *first, char *out_reason,
                 size_t capacity)
{
    static struct load g_load;
    struct load *load = &g_load;
    long error, stack;

    memset(load, 0, sizeof(*load));
    load->program = program;
    load->reason = out_reason;
    load->capacity = capacity;
    str_copy(out_reason, "", capacity);
    g_tables->mm.map_top = MAP_TOP;

    error = load_files(load);
    if (error)
        return error;
    load->vdso = vdso_map();
    if (!load->vdso)
        return load_fail(load, -ENOMEM, "%s: %s", program->path, error_words(-ENOMEM));
    stack = load_build_stack(load);
    if (stack < 0)
        return stack;
    set_registers(load, first, (uint64_t)stack);
    return 0;
}
