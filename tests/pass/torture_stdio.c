/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libc torture: stdio.h and stdio_ext.h, narrow and wide.  Streams have their buffers in the
 * arena. A stream that is read has been filled before, so that a call that is watched does not come
 * to the kernel, unless its entry says KERNEL.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

#include "tests/pass/torture.h"

enum { BUFFER = 600 };

/* An empty file to write to, with its buffer in the arena. */
static FILE *empty(void)
{
    FILE *file = fopen(torture_path("stream"), "w+");

    unlink(torture_path("stream"));
    EXPECT(file != NULL);
    setvbuf(file, TEXT(BUFFER), _IOFBF, BUFFER);
    return file;
}

/* One that has been written to once, so that it is in the middle of writing. */
static FILE *writing(void)
{
    FILE *file = empty();

    fputs("begun ", file);
    return file;
}

/* One to be read, its text in the buffer already. */
static FILE *reading(const char *text)
{
    FILE *file = empty();

    fputc('^', file);
    fputs(text, file);
    rewind(file);
    EXPECT(fgetc(file) == '^');
    return file;
}

static FILE *wide_reading(const char *text)
{
    FILE *file = empty();

    fprintf(file, "^%s", text);
    rewind(file);
    fwide(file, 1);
    EXPECT(fgetwc(file) == L'^');
    return file;
}

static FILE *wide_writing(void)
{
    FILE *file = empty();

    fwide(file, 1);
    fputws(L"begun ", file);
    return file;
}

/* ---- forms of entries that do one thing to a stream ---- */

#define ON(function, how, open, call, right)                                                       \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        FILE *file = open;                                                                         \
        long result;                                                                               \
                                                                                                   \
        CALL(result = (long)(call));                                                               \
        EXPECT(result right);                                                                      \
        fclose(file);                                                                              \
    }
#define VOID_ON(function, how, open, call)                                                         \
    TORTURE(function, how)                                                                         \
    {                                                                                              \
        FILE *file = open;                                                                         \
                                                                                                   \
        CALL(call);                                                                                \
        fclose(file);                                                                              \
    }

ON(fputc, 0, writing(), fputc('x', file), == 'x')
ON(putc, 0, writing(), (putc)('x', file), == 'x')
ON(fputc_unlocked, 0, writing(), fputc_unlocked('x', file), == 'x')
ON(putc_unlocked, 0, writing(), (putc_unlocked)('x', file), == 'x')
ON(fputs, 0, writing(), fputs("words", file), >= 0)
ON(fputs_unlocked, 0, writing(), fputs_unlocked("words", file), >= 0)
ON(fwrite, 0, writing(), fwrite("words", 1, 5, file), == 5)
ON(fwrite_unlocked, 0, writing(), fwrite_unlocked("words", 1, 5, file), == 5)
ON(putw, 0, writing(), putw(77, file), == 0)
ON(fprintf, 0, writing(), fprintf(file, "%d %s %g", 5, "words", 2.5), == 11)
ON(fputwc, 0, wide_writing(), fputwc(L'x', file), == L'x')
ON(putwc, 0, wide_writing(), putwc(L'x', file), == L'x')
ON(fputwc_unlocked, 0, wide_writing(), fputwc_unlocked(L'x', file), == L'x')
ON(putwc_unlocked, 0, wide_writing(), putwc_unlocked(L'x', file), == L'x')
ON(fputws, 0, wide_writing(), fputws(L"words", file), >= 0)
ON(fputws_unlocked, 0, wide_writing(), fputws_unlocked(L"words", file), >= 0)
ON(fwprintf, 0, wide_writing(), fwprintf(file, L"%d %ls", 5, L"words"), == 7)
ON(fgetc, 0, reading("abc"), fgetc(file), == 'a')
ON(getc, 0, reading("abc"), (getc)(file), == 'a')
ON(fgetc_unlocked, 0, reading("abc"), fgetc_unlocked(file), == 'a')
ON(getc_unlocked, 0, reading("abc"), (getc_unlocked)(file), == 'a')
ON(getw, 0, reading("abcdefg"), getw(file), == 0x64636261)
ON(fgetwc, 0, wide_reading("abc"), fgetwc(file), == L'a')
ON(getwc, 0, wide_reading("abc"), getwc(file), == L'a')
ON(fgetwc_unlocked, 0, wide_reading("abc"), fgetwc_unlocked(file), == L'a')
ON(getwc_unlocked, 0, wide_reading("abc"), getwc_unlocked(file), == L'a')
ON(ungetc, 0, reading("abc"), ungetc('x', file), == 'x')
ON(ungetwc, 0, wide_reading("abc"), ungetwc(L'x', file), == L'x')
ON(fflush, KERNEL, writing(), fflush(file), == 0)
ON(fflush_unlocked, KERNEL, writing(), fflush_unlocked(file), == 0)
ON(fseek, KERNEL, writing(), fseek(file, 2, SEEK_SET), == 0)
ON(fseeko, KERNEL, writing(), fseeko(file, 2, SEEK_SET), == 0)
ON(ftell, QUIET, writing(), ftell(file), == 6)
ON(ftello, QUIET, writing(), ftello(file), == 6)
VOID_ON(rewind, KERNEL, writing(), rewind(file))
VOID_ON(__fpurge, 0, writing(), __fpurge(file))
VOID_ON(__fseterr, 0, writing(), __fseterr(file))
ON(__fsetlocking, QUIET, writing(), __fsetlocking(file, FSETLOCKING_QUERY), == 0)
ON(__fbufsize, QUIET, writing(), __fbufsize(file), > 0)
ON(__flbf, QUIET, writing(), __flbf(file), == 0)
ON(__fpending, QUIET, writing(), __fpending(file), == 6)
ON(__freadable, QUIET, writing(), __freadable(file), != 0)
ON(__fwritable, QUIET, writing(), __fwritable(file), != 0)
ON(__freading, QUIET, reading("abc"), __freading(file), != 0)
ON(__fwriting, QUIET, writing(), __fwriting(file), != 0)
ON(feof, QUIET, reading("abc"), feof(file), == 0)
ON(feof_unlocked, QUIET, reading("abc"), feof_unlocked(file), == 0)
ON(ferror, QUIET, reading("abc"), ferror(file), == 0)
ON(ferror_unlocked, QUIET, reading("abc"), ferror_unlocked(file), == 0)
ON(fileno, QUIET, reading("abc"), fileno(file), > 2)
ON(fileno_unlocked, QUIET, reading("abc"), fileno_unlocked(file), > 2)
ON(fwide, 0, empty(), fwide(file, 1), > 0)

int fpurge(FILE *);
size_t __freadahead(FILE *);
const char *__freadptr(FILE *, size_t *);
void __freadptrinc(FILE *, size_t);

ON(fpurge, 0, writing(), fpurge(file), == 0)
ON(__freadahead, QUIET, reading("abc"), __freadahead(file), == 3)
VOID_ON(__freadptrinc, 0, reading("abc"), __freadptrinc(file, 1))

TORTURE(__freadptr, 0)
{
    FILE *file = reading("abc");
    size_t *left = PLACE(size_t);

    CALL(__freadptr(file, left));
    EXPECT(*left == 3);
    fclose(file);
}

TORTURE(clearerr, 0)
{
    FILE *file = reading("");

    fgetc(file);
    CALL(clearerr(file));
    EXPECT(!feof(file));
    fclose(file);
}

TORTURE(clearerr_unlocked, 0)
{
    FILE *file = reading("");

    fgetc(file);
    CALL(clearerr_unlocked(file));
    EXPECT(!feof(file));
    fclose(file);
}

/* With a second thread libc locks in earnest; the lock's word is written either way. */
TORTURE(flockfile, 0)
{
    FILE *file = writing();

    CALL(flockfile(file));
    funlockfile(file);
    fclose(file);
}

TORTURE(ftrylockfile, 0)
{
    FILE *file = writing();
    int error;

    CALL(error = ftrylockfile(file));
    EXPECT(error == 0);
    funlockfile(file);
    fclose(file);
}

TORTURE(funlockfile, 0)
{
    FILE *file = writing();

    flockfile(file);
    CALL(funlockfile(file));
    fclose(file);
}

/* ---- reading ---- */

TORTURE(fgets, 0)
{
    FILE *file = reading("one\ntwo\n");
    char *line = TEXT(40);

    CALL(fgets(line, 40, file));
    EXPECT(!strcmp(line, "one\n"));
    fclose(file);
}

TORTURE(fgets_unlocked, 0)
{
    FILE *file = reading("one\ntwo\n");
    char *line = TEXT(40);

    CALL(fgets_unlocked(line, 40, file));
    EXPECT(!strcmp(line, "one\n"));
    fclose(file);
}

TORTURE(fgetws, 0)
{
    FILE *file = wide_reading("one\ntwo\n");
    wchar_t *line = PLACES(wchar_t, 40);

    CALL(fgetws(line, 40, file));
    EXPECT(!wcscmp(line, L"one\n"));
    fclose(file);
}

TORTURE(fgetws_unlocked, 0)
{
    FILE *file = wide_reading("one\ntwo\n");
    wchar_t *line = PLACES(wchar_t, 40);

    CALL(fgetws_unlocked(line, 40, file));
    EXPECT(!wcscmp(line, L"one\n"));
    fclose(file);
}

TORTURE(fgetln, 0)
{
    FILE *file = reading("one\ntwo\n");
    size_t *length = PLACE(size_t);

    CALL(fgetln(file, length));
    EXPECT(*length == 4);
    fclose(file);
}

TORTURE(getline, 0)
{
    FILE *file = reading("one\ntwo\n");
    char **line = PLACE(char *);
    size_t *size = PLACE(size_t);

    *line = NULL;
    *size = 0;
    CALL(getline(line, size, file));
    EXPECT(!strcmp(*line, "one\n"));
    free(*line);
    fclose(file);
}

TORTURE(getdelim, 0)
{
    FILE *file = reading("one;two;");
    char **line = PLACE(char *);
    size_t *size = PLACE(size_t);

    *line = malloc(1);
    *size = 1;
    CALL(getdelim(line, size, ';', file));
    EXPECT(!strcmp(*line, "one;"));
    free(*line);
    fclose(file);
}

/* What is in the buffer first, the rest by the kernel to where it belongs. */
static FILE *long_file(size_t size)
{
    FILE *file = empty();

    for (size_t i = 0; i < size; i++)
        fputc((int)('a' + i % 26), file);
    rewind(file);
    return file;
}

static void read_some(size_t (*reads)(void *, size_t, size_t, FILE *))
{
    size_t size = torture_some(), got;
    FILE *file = long_file(size);
    char *to = TEXT(size);

    CALL(got = reads(to, 1, size, file));
    EXPECT(got == size && to[0] == 'a' && to[size - 1] == (char)('a' + (size - 1) % 26));
    fclose(file);
}

TORTURE(fread, KERNEL)
{
    read_some(fread);
}

TORTURE(fread_unlocked, KERNEL)
{
    read_some(fread_unlocked);
}

TORTURE(fread_buffered, 0)
{
    FILE *file = reading("0123456789");
    char *to = TEXT(10);

    CALL(fread(to, 2, 5, file));
    EXPECT(!memcmp(to, "0123456789", 10));
    fclose(file);
}

TORTURE(fgetpos, 0)
{
    FILE *file = writing();
    fpos_t *position = PLACE(fpos_t);

    CALL(fgetpos(file, position));
    EXPECT(!fsetpos(file, position));
    fclose(file);
}

TORTURE(fsetpos, KERNEL)
{
    FILE *file = writing();
    fpos_t position;
    int error;

    fgetpos(file, &position);
    CALL(error = fsetpos(file, &position));
    EXPECT(error == 0);
    fclose(file);
}

/* ---- opening and closing ---- */

#define SETS_BUFFER(function, call)                                                                \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        FILE *file = fopen("/dev/null", "r+");                                                     \
        char *buffer = TEXT(BUFSIZ);                                                               \
                                                                                                   \
        CALL(call);                                                                                \
        fputs("words", file);                                                                      \
        (void)buffer;                                                                              \
        fclose(file);                                                                              \
    }

SETS_BUFFER(setvbuf, setvbuf(file, buffer, _IOFBF, BUFSIZ))
SETS_BUFFER(setbuf, setbuf(file, buffer))
SETS_BUFFER(setbuffer, setbuffer(file, buffer, BUFSIZ))
SETS_BUFFER(setlinebuf, setlinebuf(file))

TORTURE(fopen, 0)
{
    FILE *file;

    CALL(file = fopen("/dev/null", "re"));
    EXPECT(file != NULL);
    fclose(file);
}

TORTURE(fdopen, KERNEL)
{
    FILE *file;
    int fd = open("/dev/null", O_RDWR);

    CALL(file = fdopen(fd, "w"));
    EXPECT(file != NULL);
    fclose(file);
}

TORTURE(fclose, KERNEL)
{
    FILE *file = writing();
    int error;

    CALL(error = fclose(file));
    EXPECT(error == 0);
}

TORTURE(freopen, KERNEL)
{
    FILE *file = fopen("/dev/null", "r");

    CALL(file = freopen("/dev/null", "w", file));
    EXPECT(file != NULL);
    fclose(file);
}

TORTURE(fmemopen, 0)
{
    char *memory = COPY("0123456789");
    FILE *file;

    CALL(file = fmemopen(memory, 10, "r+"));
    fputs("words", file);
    CALL(fflush(file));
    EXPECT(!memcmp(memory, "words", 5));
    rewind(file);
    EXPECT(fgetc(file) == 'w');
    fclose(file);
}

TORTURE(open_memstream, 0)
{
    char **text = PLACE(char *);
    size_t *size = PLACE(size_t), length = torture_some();
    FILE *file;

    CALL(file = open_memstream(text, size));
    for (size_t i = 0; i < length; i++)
        fputc('x', file);
    CALL(fflush(file));
    EXPECT(*size == length && (*text)[length - 1] == 'x');
    CALL(fclose(file));
    free(*text);
}

TORTURE(open_wmemstream, 0)
{
    wchar_t **text = PLACE(wchar_t *);
    size_t *size = PLACE(size_t), length = torture_some();
    FILE *file;

    CALL(file = open_wmemstream(text, size));
    for (size_t i = 0; i < length; i++)
        fputwc(L'x', file);
    CALL(fflush(file));
    EXPECT(*size == length && (*text)[length - 1] == L'x');
    CALL(fclose(file));
    free(*text);
}

static ssize_t cookie_read(void *cookie, char *to, size_t size)
{
    memset(to, *(char *)cookie, size);
    return (ssize_t)size;
}

TORTURE(fopencookie, 0)
{
    static char letter = 'k';
    cookie_io_functions_t functions = {.read = cookie_read};
    FILE *file;
    char *to = TEXT(100);

    CALL(file = fopencookie(&letter, "r", functions));
    CALL(fread(to, 1, 100, file));
    EXPECT(to[0] == 'k' && to[99] == 'k');
    fclose(file);
}

TORTURE(tmpfile, KERNEL)
{
    FILE *file;

    CALL(file = tmpfile());
    EXPECT(file != NULL);
    fclose(file);
}

TORTURE(tmpnam, KERNEL)
{
    char *name = TEXT(L_tmpnam);

    CALL(tmpnam(name));
    EXPECT(!strncmp(name, "/tmp/", 5));
}

TORTURE(tempnam, KERNEL)
{
    char *name;

    CALL(name = tempnam("/tmp", "x"));
    EXPECT(name != NULL);
    free(name);
}

TORTURE(popen, KERNEL | NATIVE)
{
    FILE *file;

    CALL(file = popen("echo words", "r"));
    EXPECT(file && fgetc(file) == 'w');
    pclose(file);
}

TORTURE(pclose, KERNEL | NATIVE | QUIET)
{
    FILE *file = popen("exit 3", "r");
    int status;

    CALL(status = pclose(file));
    EXPECT(status == 3 << 8);
}

/* ---- printf ---- */

static int by_list(int (*print)(char *, size_t, const char *, va_list), char *to, size_t size,
                   const char *format, ...)
{
    va_list list;
    int length;

    va_start(list, format);
    CALL(length = print(to, size, format, list));
    va_end(list);
    return length;
}

TORTURE(snprintf, 0)
{
    size_t size = torture_some();
    char *to = TEXT(size);

    CALL(snprintf(to, size, "%d %x %5.2f %s %c %Lg %*d", -5, 255, 2.5, "words", 'c', 1e30L,
                  (int)size + 10, 1));
    EXPECT(!strncmp(to, "-5 ff  2.50 words c 1e+30 ", size < 26 ? size - 1 : 26));
}

TORTURE(sprintf, 0)
{
    size_t size = torture_some();
    char *to = TEXT(size + 1);

    CALL(sprintf(to, "%*d", (int)size, 7));
    EXPECT(to[size - 1] == '7' && to[size] == 0);
}

TORTURE(vsnprintf, 0)
{
    char *to = TEXT(50);

    EXPECT(by_list(vsnprintf, to, 50, "%d %s", 5, "words") == 7 && !strcmp(to, "5 words"));
}

static int print_unsized(char *to, size_t size, const char *format, va_list list)
{
    (void)size;
    return vsprintf(to, format, list);
}

TORTURE(vsprintf, 0)
{
    char *to = TEXT(50);

    EXPECT(by_list(print_unsized, to, 0, "%d %s", 5, "words") == 7 && !strcmp(to, "5 words"));
}

/* %n, of all lengths. */
TORTURE(printf_n, 0)
{
    signed char *a = PLACE(signed char);
    short *b = PLACE(short);
    int *c = PLACE(int);
    long *d = PLACE(long);
    long long *e = PLACE(long long);
    intmax_t *f = PLACE(intmax_t);
    ssize_t *z = PLACE(ssize_t);
    char to[50];

    CALL(snprintf(to, sizeof(to), "%s%hhn%hn%n%ln%lln%jn%zn", "words", a, b, c, d, e, f, z));
    EXPECT(*a == 5 && *b == 5 && *c == 5 && *d == 5 && *e == 5 && *f == 5 && *z == 5);
}

TORTURE(swprintf_n, 0)
{
    int *c = PLACE(int);
    long *d = PLACE(long);
    wchar_t to[50];

    CALL(swprintf(to, 50, L"%s%n%ln", "words", c, d));
    EXPECT(*c == 5 && *d == 5);
}

TORTURE(asprintf, 0)
{
    char **text = PLACE(char *);

    CALL(asprintf(text, "%d %s", 5, "words"));
    EXPECT(!strcmp(*text, "5 words"));
    free(*text);
}

static char **g_text;

static int print_allocated(char *to, size_t size, const char *format, va_list list)
{
    (void)to;
    (void)size;
    return vasprintf(g_text, format, list);
}

TORTURE(vasprintf, 0)
{
    g_text = PLACE(char *);
    EXPECT(by_list(print_allocated, NULL, 0, "%d %s", 5, "words") == 7);
    EXPECT(!strcmp(*g_text, "5 words"));
    free(*g_text);
}

static FILE *g_file;

static int print_to_file(char *to, size_t size, const char *format, va_list list)
{
    (void)to;
    (void)size;
    return vfprintf(g_file, format, list);
}

TORTURE(vfprintf, 0)
{
    g_file = writing();
    EXPECT(by_list(print_to_file, NULL, 0, "%d %s", 5, "words") == 7);
    fclose(g_file);
}

TORTURE(dprintf, KERNEL | QUIET)
{
    int fd = open("/dev/null", O_WRONLY), length;

    CALL(length = dprintf(fd, "%d", 55));
    EXPECT(length == 2);
    close(fd);
}

static int print_to_null(char *to, size_t size, const char *format, va_list list)
{
    int fd = open("/dev/null", O_WRONLY), length = vdprintf(fd, format, list);

    (void)to;
    (void)size;
    close(fd);
    return length;
}

TORTURE(vdprintf, KERNEL | QUIET)
{
    EXPECT(by_list(print_to_null, NULL, 0, "%d %s", 5, "words") == 7);
}

/* ---- wide printf ---- */

static int by_wide_list(int (*print)(wchar_t *, size_t, const wchar_t *, va_list), wchar_t *to,
                        size_t size, const wchar_t *format, ...)
{
    va_list list;
    int length;

    va_start(list, format);
    CALL(length = print(to, size, format, list));
    va_end(list);
    return length;
}

TORTURE(swprintf, 0)
{
    size_t size = torture_some() / 4 + 8;
    wchar_t *to = PLACES(wchar_t, size);

    CALL(swprintf(to, size, L"%*d", (int)size - 1, 7));
    EXPECT(to[size - 2] == L'7' && to[size - 1] == 0);
}

TORTURE(vswprintf, 0)
{
    wchar_t *to = PLACES(wchar_t, 50);

    EXPECT(by_wide_list(vswprintf, to, 50, L"%d %s", 5, "words") == 7);
    EXPECT(!wcscmp(to, L"5 words"));
}

static int print_wide_to_file(wchar_t *to, size_t size, const wchar_t *format, va_list list)
{
    (void)to;
    (void)size;
    return vfwprintf(g_file, format, list);
}

TORTURE(vfwprintf, 0)
{
    g_file = wide_writing();
    EXPECT(by_wide_list(print_wide_to_file, NULL, 0, L"%d %s", 5, "words") == 7);
    fclose(g_file);
}

/* ---- scanf ---- */

/* All conversions into memory of their own, from a string, a file and a list. */
struct scanned {
    int *d, *i, *n;
    signed char *hh;
    short *h;
    long *l;
    long long *ll;
    intmax_t *j;
    size_t *z;
    unsigned *o, *u, *x;
    float *f;
    double *lf;
    long double *Lf;
    char *s, *c, *set;
    wchar_t *ls;
    void **p;
};

static const char c_scanned[] = "-1 0x10 2 3 4 5 6 7 17 42 ff 1.5 2.5 3.5 words xyz aab wide 0x99";

#define NUMBERS "%d %i %hhd %hd %ld %lld %jd %zu %o %u %x"
#define WORDS " %f %lf %Lf %s %3c %[ab] %ls %p%n"

static struct scanned scan_places(void)
{
    return (struct scanned){
        .d = PLACE(int),
        .i = PLACE(int),
        .n = PLACE(int),
        .hh = PLACE(signed char),
        .h = PLACE(short),
        .l = PLACE(long),
        .ll = PLACE(long long),
        .j = PLACE(intmax_t),
        .z = PLACE(size_t),
        .o = PLACE(unsigned),
        .u = PLACE(unsigned),
        .x = PLACE(unsigned),
        .f = PLACE(float),
        .lf = PLACE(double),
        .Lf = PLACE(long double),
        .s = TEXT(20),
        .c = TEXT(3),
        .set = TEXT(20),
        .ls = PLACES(wchar_t, 20),
        .p = PLACE(void *),
    };
}

#define SCANNED                                                                                    \
    to.d, to.i, to.hh, to.h, to.l, to.ll, to.j, to.z, to.o, to.u, to.x, to.f, to.lf, to.Lf, to.s,  \
        to.c, to.set, to.ls, to.p, to.n

static void scan_right(const struct scanned *to, int fields)
{
    EXPECT(fields == 19 && *to->d == -1 && *to->i == 16 && *to->hh == 2 && *to->h == 3);
    EXPECT(*to->l == 4 && *to->ll == 5 && *to->j == 6 && *to->z == 7 && *to->o == 15);
    EXPECT(*to->u == 42 && *to->x == 255 && *to->f == 1.5f && *to->lf == 2.5 && *to->Lf == 3.5L);
    EXPECT(!strcmp(to->s, "words") && !memcmp(to->c, "xyz", 3) && !strcmp(to->set, "aab"));
    EXPECT(!wcscmp(to->ls, L"wide") && *to->p == (void *)0x99 && *to->n == (int)strlen(c_scanned));
}

TORTURE(sscanf, 0)
{
    struct scanned to = scan_places();
    int fields;

    CALL(fields = sscanf(c_scanned, NUMBERS WORDS, SCANNED));
    scan_right(&to, fields);
}

TORTURE(fscanf, 0)
{
    FILE *file = reading(c_scanned);
    struct scanned to = scan_places();
    int fields;

    CALL(fields = fscanf(file, NUMBERS, to.d, to.i, to.hh, to.h, to.l, to.ll, to.j, to.z, to.o,
                         to.u, to.x));
    EXPECT(fields == 11 && *to.d == -1 && *to.x == 255);
    fclose(file);
}

static int scan_list(int (*scan)(const char *, va_list), const char *format, ...)
{
    va_list list;
    int fields;

    va_start(list, format);
    CALL(fields = scan(format, list));
    va_end(list);
    return fields;
}

static int scan_string(const char *format, va_list list)
{
    return vsscanf(c_scanned, format, list);
}

static int scan_file(const char *format, va_list list)
{
    return vfscanf(g_file, format, list);
}

TORTURE(vsscanf, 0)
{
    struct scanned to = scan_places();

    scan_right(&to, scan_list(scan_string, NUMBERS WORDS, SCANNED));
}

TORTURE(vfscanf, 0)
{
    struct scanned to = scan_places();

    g_file = reading(c_scanned);
    EXPECT(scan_list(scan_file, "%d %i", to.d, to.i) == 2 && *to.i == 16);
    fclose(g_file);
}

/* %m allocates. */
TORTURE(sscanf_m, 0)
{
    char **word = PLACE(char *), **set = PLACE(char *), **c = PLACE(char *);
    wchar_t **wide = PLACE(wchar_t *);

    CALL(sscanf("words aab xyz more", "%ms %m[ab] %3mc %mls", word, set, c, wide));
    EXPECT(!strcmp(*word, "words") && !strcmp(*set, "aab") && !memcmp(*c, "xyz", 3));
    EXPECT(!wcscmp(*wide, L"more"));
    free(*word);
    free(*set);
    free(*c);
    free(*wide);
}

TORTURE(swscanf, 0)
{
    int *d = PLACE(int), *n = PLACE(int);
    double *lf = PLACE(double);
    char *s = TEXT(20);
    wchar_t *ls = PLACES(wchar_t, 20), *set = PLACES(wchar_t, 20), *c = PLACES(wchar_t, 3);

    CALL(swscanf(L"5 2.5 words wide aab xyz", L"%d %lf %s %ls %l[ab] %3lc%n", d, lf, s, ls, set, c,
                 n));
    EXPECT(*d == 5 && *lf == 2.5 && !strcmp(s, "words") && !wcscmp(ls, L"wide") && *n == 24);
    EXPECT(!wcscmp(set, L"aab") && c[2] == L'z');
}

TORTURE(fwscanf, 0)
{
    FILE *file = wide_reading("5 words");
    int *d = PLACE(int);
    char *s = TEXT(20);

    CALL(fwscanf(file, L"%d %s", d, s));
    EXPECT(*d == 5 && !strcmp(s, "words"));
    fclose(file);
}

static int scan_wide_list(int (*scan)(const wchar_t *, va_list), const wchar_t *format, ...)
{
    va_list list;
    int fields;

    va_start(list, format);
    CALL(fields = scan(format, list));
    va_end(list);
    return fields;
}

static int scan_wide_string(const wchar_t *format, va_list list)
{
    return vswscanf(L"5 words", format, list);
}

static int scan_wide_file(const wchar_t *format, va_list list)
{
    return vfwscanf(g_file, format, list);
}

TORTURE(vswscanf, 0)
{
    int *d = PLACE(int);
    char *s = TEXT(20);

    EXPECT(scan_wide_list(scan_wide_string, L"%d %s", d, s) == 2 && !strcmp(s, "words"));
}

TORTURE(vfwscanf, 0)
{
    int *d = PLACE(int);
    char *s = TEXT(20);

    g_file = wide_reading("5 words");
    EXPECT(scan_wide_list(scan_wide_file, L"%d %s", d, s) == 2 && !strcmp(s, "words"));
    fclose(g_file);
}

/* ---- standard input and output ---- */

/* Standard input is a file for the time of the entry. */
static void feed(const char *text)
{
    char byte;
    FILE *file = fopen(torture_path("input"), "w");

    fputs(text, file);
    fclose(file);
    freopen(torture_path("input"), "r", stdin);
    unlink(torture_path("input"));
    EXPECT(fread(&byte, 1, 1, stdin) == 1);
}

static int scan_input(const char *format, va_list list)
{
    return vscanf(format, list);
}

static int scan_wide_input(const wchar_t *format, va_list list)
{
    return vwscanf(format, list);
}

TORTURE(scanf, 0)
{
    int *d = PLACE(int);

    feed("^5 words");
    CALL(scanf("%d", d));
    EXPECT(*d == 5);
}

TORTURE(vscanf, 0)
{
    int *d = PLACE(int);

    feed("^5 words");
    EXPECT(scan_list(scan_input, "%d", d) == 1 && *d == 5);
}

TORTURE(wscanf, 0)
{
    int *d = PLACE(int);

    feed("^5 words");
    CALL(wscanf(L"%d", d));
    EXPECT(*d == 5);
}

TORTURE(vwscanf, 0)
{
    int *d = PLACE(int);

    feed("^5 words");
    EXPECT(scan_wide_list(scan_wide_input, L"%d", d) == 1 && *d == 5);
}

char *gets(char *);

TORTURE(gets, 0)
{
    char *line = TEXT(20);

    feed("^words\nmore");
    CALL(gets(line));
    EXPECT(!strcmp(line, "words"));
}
