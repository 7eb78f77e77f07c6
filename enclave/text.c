/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings that are ours rather than the compiler's: bounded copies and a small printf.
 */
#include "enclave/runtime.h"

size_t str_copy(char *to, const char *from, size_t capacity)
{
    size_t length = strlen(from);

    if (capacity > 0) {
        size_t part = OM_MIN(length, capacity - 1);

        memcpy(to, from, part);
        to[part] = 0;
    }
    return length;
}

struct sink {
    char *to;
    size_t capacity, used; /* used counts what did not fit, too */
};

static void put(struct sink *sink, char c)
{
    if (sink->used + 1 < sink->capacity)
        sink->to[sink->used] = c;
    sink->used++;
}

static void put_times(struct sink *sink, char c, size_t times)
{
    for (size_t i = 0; i < times; i++)
        put(sink, c);
}

/* One conversion: %[-0][width][.precision][l|ll|z|j|t]letter */
struct conversion {
    bool left, zeros, wide;
    bool has_precision;
    size_t width, precision;
    char letter;
};

static void put_padded(struct sink *sink, const struct conversion *how, const char *sign,
                       const char *text, size_t length)
{
    size_t total = strlen(sign) + length;
    size_t padding = how->width > total ? how->width - total : 0;

    if (!how->left && !how->zeros)
        put_times(sink, ' ', padding);
    for (; *sign; sign++)
        put(sink, *sign);
    if (!how->left && how->zeros)
        put_times(sink, '0', padding);
    for (size_t i = 0; i < length; i++)
        put(sink, text[i]);
    if (how->left)
        put_times(sink, ' ', padding);
}

static void put_number(struct sink *sink, const struct conversion *how, const char *sign,
                       uint64_t value, unsigned base)
{
    const char *digits = how->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    size_t at = sizeof(text);

    do {
        text[--at] = digits[value % base];
        value /= base;
    } while (value);
    put_padded(sink, how, sign, text + at, sizeof(text) - at);
}

static void put_text(struct sink *sink, struct conversion *how, const char *text)
{
    size_t length = 0;

    if (!text)
        text = "(null)";
    while (text[length] && !(how->has_precision && length >= how->precision))
        length++;
    how->zeros = false;
    put_padded(sink, how, "", text, length);
}

static const char *parse_amount(const char *at, __builtin_va_list *arguments, size_t *out)
{
    if (*at == '*') {
        int given = __builtin_va_arg(*arguments, int);

        *out = given > 0 ? (size_t)given : 0;
        return at + 1;
    }
    for (*out = 0; *at >= '0' && *at <= '9'; at++)
        *out = *out * 10 + (size_t)(*at - '0');
    return at;
}

/* at stands behind the percent sign; returns where the text goes on. */
static const char *parse_conversion(const char *at, __builtin_va_list *arguments,
                                    struct conversion *out)
{
    *out = (struct conversion){0};
    for (; *at == '-' || *at == '0'; at++)
        *(*at == '-' ? &out->left : &out->zeros) = true;
    at = parse_amount(at, arguments, &out->width);
    if (*at == '.') {
        out->has_precision = true;
        at = parse_amount(at + 1, arguments, &out->precision);
    }
    for (; *at == 'l' || *at == 'z' || *at == 'j' || *at == 't'; at++)
        out->wide = true;
    out->letter = *at;
    return *at ? at + 1 : at;
}

static void put_signed(struct sink *sink, const struct conversion *how,
                       __builtin_va_list *arguments)
{
    int64_t value =
        how->wide ? __builtin_va_arg(*arguments, long) : __builtin_va_arg(*arguments, int);

    put_number(sink, how, value < 0 ? "-" : "", value < 0 ? 0 - (uint64_t)value : (uint64_t)value,
               10);
}

static void put_conversion(struct sink *sink, struct conversion *how, __builtin_va_list *arguments)
{
    switch (how->letter) {
    case 's':
        put_text(sink, how, __builtin_va_arg(*arguments, const char *));
        break;
    case 'c': {
        char c = (char)__builtin_va_arg(*arguments, int);

        how->zeros = false;
        put_padded(sink, how, "", &c, 1);
        break;
    }
    case 'd':
    case 'i':
        put_signed(sink, how, arguments);
        break;
    case 'u':
    case 'x':
    case 'X': {
        uint64_t value = how->wide ? __builtin_va_arg(*arguments, unsigned long)
                                   : __builtin_va_arg(*arguments, unsigned int);

        put_number(sink, how, "", value, how->letter == 'u' ? 10 : 16);
        break;
    }
    case 'p':
        put_number(sink, how, "0x", (uint64_t) __builtin_va_arg(*arguments, void *), 16);
        break;
    case '%':
        put(sink, '%');
        break;
    default: /* A bug of the caller; the compiler checks formats. */
        put(sink, '?');
    }
}

int str_vformat(char *to, size_t capacity, const char *format, __builtin_va_list arguments)
{
    struct sink sink = {to, capacity, 0};
    __builtin_va_list rest;

    __builtin_va_copy(rest, arguments);
    while (*format) {
        struct conversion how;

        if (*format != '%') {
            put(&sink, *format++);
            continue;
        }
        format = parse_conversion(format + 1, &rest, &how);
        put_conversion(&sink, &how, &rest);
    }
    __builtin_va_end(rest);
    if (capacity > 0)
        to[OM_MIN(sink.used, capacity - 1)] = 0;
    return (int)sink.used;
}

int str_format(char *to, size_t capacity, const char *format, ...)
{
    __builtin_va_list arguments;
    int length;

    __builtin_va_start(arguments, format);
    length = str_vformat(to, capacity, format, arguments);
    __builtin_va_end(arguments);
    return length;
}
