/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: wchar.h, uchar.h, multibyte strings, iconv. */
#define _GNU_SOURCE
#include <iconv.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>
#include <uchar.h>
#include <wchar.h>

#include "tests/pass/torture.h"

static size_t many(void)
{
    return torture_some() / sizeof(wchar_t) + 1;
}

static wchar_t *letters(size_t length)
{
    wchar_t *text = malloc((length + 1) * sizeof(*text));

    for (size_t i = 0; i < length; i++)
        text[i] = (wchar_t)(L'a' + (wchar_t)(i % 26));
    text[length] = 0;
    return text;
}

static mbstate_t *fresh_state(void)
{
    mbstate_t *state = PLACE(mbstate_t);

    memset(state, 0, sizeof(*state));
    return state;
}

#define COPIES(function, call)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        size_t length = many();                                                                    \
        wchar_t *from = letters(length), *to = PLACES(wchar_t, length + 1);                        \
                                                                                                   \
        to[0] = 0;                                                                                 \
        CALL(call);                                                                                \
        EXPECT(!wcscmp(to, from));                                                                 \
        free(from);                                                                                \
    }

COPIES(wcscpy, wcscpy(to, from))
COPIES(wcpcpy, wcpcpy(to, from))
COPIES(wcsncpy, wcsncpy(to, from, length + 1))
COPIES(wcpncpy, wcpncpy(to, from, length + 1))
COPIES(wcscat, wcscat(to, from))
COPIES(wcsncat, wcsncat(to, from, length))
COPIES(wcsxfrm, wcsxfrm(to, from, length + 1))
COPIES(wcsxfrm_l, wcsxfrm_l(to, from, length + 1, LC_GLOBAL_LOCALE))
COPIES(wmemcpy, wmemcpy(to, from, length + 1))
COPIES(wmemmove, wmemmove(to, from, length + 1))

TORTURE(wmemset, 0)
{
    size_t length = many();
    wchar_t *to = PLACES(wchar_t, length);

    CALL(wmemset(to, L'x', length));
    EXPECT(to[0] == L'x' && to[length - 1] == L'x');
}

TORTURE(wcsdup, 0)
{
    wchar_t *copy;

    CALL(copy = wcsdup(L"some words"));
    EXPECT(!wcscmp(copy, L"some words"));
    free(copy);
}

TORTURE(wcstok, 0)
{
    wchar_t *text = WIDE(L"one two"), **state = PLACE(wchar_t *), *first, *second;

    CALL(first = wcstok(text, L" ", state));
    CALL(second = wcstok(NULL, L" ", state));
    EXPECT(!wcscmp(first, L"one") && !wcscmp(second, L"two"));
}

#define CONVERTS(function, text, value, ...)                                                       \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        static const wchar_t digits[] = text L"rest";                                              \
        wchar_t **end = PLACE(wchar_t *);                                                          \
        bool right;                                                                                \
                                                                                                   \
        CALL(right = function(digits, end, ##__VA_ARGS__) == (value));                             \
        EXPECT(right &&*end == digits + sizeof(text) / sizeof(wchar_t) - 1);                       \
    }

CONVERTS(wcstol, L"-123", -123, 10)
CONVERTS(wcstoll, L"-123", -123, 10)
CONVERTS(wcstoul, L"123", 123, 0)
CONVERTS(wcstoull, L"123", 123, 0)
CONVERTS(wcstoimax, L"123", 123, 0)
CONVERTS(wcstoumax, L"123", 123, 0)
CONVERTS(wcstod, L"2.5", 2.5)
CONVERTS(wcstof, L"2.5", 2.5f)
CONVERTS(wcstold, L"2.5", 2.5L)

/* ---- characters ---- */

static const char c_euro[] = "\xe2\x82\xac";

TORTURE(mbtowc, 0)
{
    wchar_t *out = PLACE(wchar_t);
    int length;

    CALL(length = mbtowc(out, c_euro, 3));
    EXPECT(length == 3 && *out == 0x20ac);
}

/* A part of a character first: the state is written. */
TORTURE(mbrtowc, 0)
{
    wchar_t *out = PLACE(wchar_t);
    mbstate_t *state = fresh_state();
    size_t length;

    CALL(length = mbrtowc(out, c_euro, 1, state));
    EXPECT(length == (size_t)-2);
    CALL(length = mbrtowc(out, c_euro + 1, 2, state));
    EXPECT(length == 2 && *out == 0x20ac);
}

TORTURE(mbrlen, 0)
{
    mbstate_t *state = fresh_state();
    size_t length;

    CALL(length = mbrlen(c_euro, 1, state));
    EXPECT(length == (size_t)-2);
    CALL(length = mbrlen(c_euro + 1, 2, state));
    EXPECT(length == 2);
}

TORTURE(mbrtoc16, 0)
{
    char16_t *out = PLACE(char16_t);
    mbstate_t *state = fresh_state();
    size_t length;

    CALL(length = mbrtoc16(out, "\xf0\x9f\x98\x80", 4, state));
    EXPECT(length == 4 && *out == 0xd83d);
    CALL(length = mbrtoc16(out, "", 1, state));
    EXPECT(length == (size_t)-3 && *out == 0xde00);
}

TORTURE(mbrtoc32, 0)
{
    char32_t *out = PLACE(char32_t);
    mbstate_t *state = fresh_state();
    size_t length;

    CALL(length = mbrtoc32(out, c_euro, 1, state));
    EXPECT(length == (size_t)-2);
    CALL(length = mbrtoc32(out, c_euro + 1, 2, state));
    EXPECT(length == 2 && *out == 0x20ac);
}

TORTURE(c16rtomb, 0)
{
    char *out = TEXT(MB_LEN_MAX);
    mbstate_t *state = fresh_state();
    size_t length;

    CALL(length = c16rtomb(out, 0xd83d, state));
    EXPECT(length == 0);
    CALL(length = c16rtomb(out, 0xde00, state));
    EXPECT(length == 4 && !memcmp(out, "\xf0\x9f\x98\x80", 4));
}

#define ENCODES(function, ...)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        char *out = TEXT(4);                                                                       \
        long length;                                                                               \
                                                                                                   \
        CALL(length = (long)function(out, 0x20ac, ##__VA_ARGS__));                                 \
        EXPECT(length == 3 && !memcmp(out, c_euro, 3));                                            \
    }

ENCODES(c32rtomb, NULL)
ENCODES(wcrtomb, NULL)
ENCODES(wctomb)

/* ---- strings ---- */

static char *narrow(size_t length)
{
    char *text = memset(malloc(length + 1), 'q', length);

    text[length] = 0;
    return text;
}

#define WIDENS(function, call)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        size_t length = many(), got;                                                               \
        char *text = narrow(length);                                                               \
        const char **from = PLACE(const char *);                                                   \
        wchar_t *to = PLACES(wchar_t, length + 1);                                                 \
        mbstate_t *state = fresh_state();                                                          \
                                                                                                   \
        *from = text;                                                                              \
        (void)state;                                                                               \
        CALL(got = call);                                                                          \
        EXPECT(got == length && to[0] == L'q' && to[length - 1] == L'q' && to[length] == 0);       \
        free(text);                                                                                \
    }

WIDENS(mbstowcs, mbstowcs(to, text, length + 1))
WIDENS(mbsrtowcs, mbsrtowcs(to, from, length + 1, state))
WIDENS(mbsnrtowcs, mbsnrtowcs(to, from, length + 1, length + 1, state))

#define NARROWS(function, call)                                                                    \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        size_t length = torture_some(), got;                                                       \
        wchar_t *text = letters(length);                                                           \
        const wchar_t **from = PLACE(const wchar_t *);                                             \
        char *to = TEXT(length + 1);                                                               \
                                                                                                   \
        *from = text;                                                                              \
        CALL(got = call);                                                                          \
        EXPECT(got == length && to[0] == 'a' && to[length] == 0);                                  \
        free(text);                                                                                \
    }

NARROWS(wcstombs, wcstombs(to, text, length + 1))
NARROWS(wcsrtombs, wcsrtombs(to, from, length + 1, NULL))
NARROWS(wcsnrtombs, wcsnrtombs(to, from, length + 1, length + 1, NULL))

/* A move may come in the middle: the answer is the same. */
static void convert(const char *to, const char *from)
{
    size_t length = torture_some(), *in_left = PLACE(size_t), *out_left = PLACE(size_t), done;
    char *text = narrow(length), **in = PLACE(char *), **out = PLACE(char *);
    char *room = TEXT(4 * length + 8);
    iconv_t conversion = iconv_open(to, from);

    *in = text;
    *out = room;
    *in_left = length;
    *out_left = 4 * length + 8;
    CALL(done = iconv(conversion, in, in_left, out, out_left));
    EXPECT(done == 0 && *in_left == 0 && *out > room && *in == text + length);
    CALL(iconv(conversion, NULL, NULL, out, out_left));
    iconv_close(conversion);
    free(text);
}

TORTURE(iconv, 0)
{
    static const char *const names[TURNS] = {"UTF-16",   "UCS-4",  "ISO-2022-JP",
                                             "UTF-16BE", "UTF-32", "ISO-8859-1"};

    convert(names[torture_turn()], "UTF-8");
}

TORTURE(iconv_stateful, 0)
{
    static const char *const names[TURNS] = {"EUC-JP", "SHIFT_JIS", "GB18030",
                                             "BIG5",   "EUC-KR",    "ISO-2022-JP"};

    convert("UTF-8", names[torture_turn()]);
}

TORTURE(iconv_close, QUIET)
{
    iconv_t conversion = iconv_open("UTF-16", "ISO-2022-JP");
    int error;

    CALL(error = iconv_close(conversion));
    EXPECT(error == 0);
}

TORTURE(wcsftime, 0)
{
    wchar_t *text = PLACES(wchar_t, 100);
    time_t zero = 0;
    struct tm time;

    gmtime_r(&zero, &time);
    CALL(wcsftime(text, 100, L"%Y-%m-%d", &time));
    EXPECT(!wcscmp(text, L"1970-01-01"));
}

TORTURE(wcsftime_l, 0)
{
    wchar_t *text = PLACES(wchar_t, 100);
    locale_t locale = newlocale(LC_ALL_MASK, "C", NULL);
    time_t zero = 0;
    struct tm time;

    gmtime_r(&zero, &time);
    CALL(wcsftime_l(text, 100, L"%Y-%m-%d", &time, locale));
    EXPECT(!wcscmp(text, L"1970-01-01"));
    freelocale(locale);
}
