/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: string.h, strings.h, ctype.h's tables, stdlib's number conversions. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <libgen.h>
#include <locale.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "tests/pass/torture.h"

static char *filled(size_t size, int byte)
{
    return memset(TEXT(size), byte, size);
}

/* A string of `length` letters, in memory of the heap, so that it is not where the result goes. */
static char *letters(size_t length)
{
    char *text = malloc(length + 1);

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + i % 26);
    text[length] = 0;
    return text;
}

TORTURE(memcpy, 0)
{
    size_t size = torture_some();
    char *from = letters(size), *to = TEXT(size);

    CALL(memcpy(to, from, size));
    EXPECT(!memcmp(to, from, size));
    free(from);
}

TORTURE(mempcpy, 0)
{
    size_t size = torture_some();
    char *from = letters(size), *to = TEXT(size), *end;

    CALL(end = mempcpy(to, from, size));
    EXPECT(!memcmp(to, from, size) && end == to + size);
    free(from);
}

TORTURE(memmove, 0)
{
    size_t size = torture_some();
    char *from = letters(size), *to = torture_copy(from, size, 1);

    CALL(memmove(to + 5, to, size - 5));
    EXPECT(!memcmp(to + 5, from, size - 5));
    CALL(memmove(to, to + 5, size - 5));
    EXPECT(!memcmp(to, from, size - 5));
    free(from);
}

TORTURE(memset, 0)
{
    size_t size = torture_some();
    char *to = TEXT(size);

    CALL(memset(to, 9, size));
    EXPECT(to[0] == 9 && to[size / 2] == 9 && to[size - 1] == 9);
}

TORTURE(bzero, 0)
{
    size_t size = torture_some();
    char *to = filled(size, 7);

    CALL(bzero(to, size));
    EXPECT(to[0] == 0 && to[size - 1] == 0);
}

TORTURE(explicit_bzero, 0)
{
    size_t size = torture_some();
    char *to = filled(size, 7);

    CALL(explicit_bzero(to, size));
    EXPECT(to[0] == 0 && to[size - 1] == 0);
}

TORTURE(bcopy, 0)
{
    size_t size = torture_some();
    char *from = letters(size), *to = TEXT(size);

    CALL(bcopy(from, to, size));
    EXPECT(!memcmp(to, from, size));
    free(from);
}

TORTURE(memccpy, 0)
{
    size_t size = torture_some();
    char *from = letters(size), *to = TEXT(size + 1);

    CALL(memccpy(to, from, 0, size + 1));
    EXPECT(!strcmp(to, from));
    free(from);
}

TORTURE(swab, 0)
{
    size_t size = torture_some() & ~(size_t)1;
    char *from = letters(size), *to = TEXT(size);

    CALL(swab(from, to, (ssize_t)size));
    EXPECT(to[0] == from[1] && to[1] == from[0] && to[size - 1] == from[size - 2]);
    free(from);
}

#define COPIES(function, call)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        size_t size = torture_some();                                                              \
        char *from = letters(size), *to = TEXT(size + 1);                                          \
                                                                                                   \
        to[0] = 0;                                                                                 \
        CALL(call);                                                                                \
        EXPECT(!strcmp(to, from));                                                                 \
        free(from);                                                                                \
    }

COPIES(strcpy, strcpy(to, from))
COPIES(stpcpy, stpcpy(to, from))
COPIES(strncpy, strncpy(to, from, size + 1))
COPIES(stpncpy, stpncpy(to, from, size + 1))
COPIES(strlcpy, strlcpy(to, from, size + 1))
COPIES(strcat, strcat(to, from))
COPIES(strncat, strncat(to, from, size))
COPIES(strlcat, strlcat(to, from, size + 1))
COPIES(strxfrm, strxfrm(to, from, size + 1))
COPIES(strxfrm_l, strxfrm_l(to, from, size + 1, LC_GLOBAL_LOCALE))

TORTURE(strtok, 0)
{
    char *text = COPY("one two,three"), *first, *second;

    CALL(first = strtok(text, " ,"));
    CALL(second = strtok(NULL, " ,"));
    EXPECT(!strcmp(first, "one") && !strcmp(second, "two"));
}

TORTURE(strtok_r, 0)
{
    char *text = COPY("one two,three"), **state = PLACE(char *), *first, *second;

    *state = NULL;
    CALL(first = strtok_r(text, " ,", state));
    CALL(second = strtok_r(NULL, " ,", state));
    EXPECT(!strcmp(first, "one") && !strcmp(second, "two"));
}

TORTURE(strsep, 0)
{
    char *text = COPY("one,two"), **state = PLACE(char *), *first;

    *state = text;
    CALL(first = strsep(state, ","));
    EXPECT(!strcmp(first, "one") && *state == text + 4);
}

TORTURE(strerror_r, 0)
{
    char *text = TEXT(60);

    CALL(strerror_r(2, text, 60));
    EXPECT(!strcmp(text, "No such file or directory"));
}

TORTURE(basename, 0)
{
    char *path = COPY("/usr/lib/"), *name;

    CALL(name = basename(path));
    EXPECT(!strcmp(name, "lib"));
}

TORTURE(dirname, 0)
{
    char *path = COPY("/usr/lib/x"), *name;

    CALL(name = dirname(path));
    EXPECT(!strcmp(name, "/usr/lib"));
}

TORTURE(strdup, 0)
{
    char *copy;

    CALL(copy = strdup("some words"));
    EXPECT(!strcmp(copy, "some words"));
    free(copy);
}

TORTURE(strndup, 0)
{
    char *copy;

    CALL(copy = strndup("some words", 4));
    EXPECT(!strcmp(copy, "some"));
    free(copy);
}

/* ---- numbers ---- */

#define CONVERTS(function, text, value, ...)                                                       \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        static const char digits[] = text "rest";                                                  \
        char **end = PLACE(char *);                                                                \
        bool right;                                                                                \
                                                                                                   \
        CALL(right = function(digits, end, ##__VA_ARGS__) == (value));                             \
        EXPECT(right &&*end == digits + sizeof(text) - 1);                                         \
    }

CONVERTS(strtol, "-123", -123, 10)
CONVERTS(strtoll, "-123", -123, 10)
CONVERTS(strtoul, "123", 123, 0)
CONVERTS(strtoull, "123", 123, 0)
CONVERTS(strtoimax, "123", 123, 0)
CONVERTS(strtoumax, "123", 123, 0)
CONVERTS(strtod, "2.5", 2.5)
CONVERTS(strtof, "2.5", 2.5f)
CONVERTS(strtold, "2.5", 2.5L)

/* musl has these for programs built for another libc; only the first is declared. */
double strtod_l(const char *, char **, locale_t);
float strtof_l(const char *, char **, locale_t);
long double strtold_l(const char *, char **, locale_t);

CONVERTS(strtod_l, "2.5", 2.5, LC_GLOBAL_LOCALE)
CONVERTS(strtof_l, "2.5", 2.5f, LC_GLOBAL_LOCALE)
CONVERTS(strtold_l, "2.5", 2.5L, LC_GLOBAL_LOCALE)

TORTURE(ecvt, 0)
{
    int *point = PLACE(int), *sign = PLACE(int);
    char *digits;

    CALL(digits = ecvt(-12.5, 4, point, sign));
    EXPECT(!strcmp(digits, "1250") && *point == 2 && *sign);
}

TORTURE(fcvt, 0)
{
    int *point = PLACE(int), *sign = PLACE(int);
    char *digits;

    CALL(digits = fcvt(-12.5, 2, point, sign));
    EXPECT(!strcmp(digits, "1250") && *point == 2 && *sign);
}

TORTURE(gcvt, 0)
{
    char *text = TEXT(40);

    CALL(gcvt(12.5, 6, text));
    EXPECT(!strcmp(text, "12.5"));
}
