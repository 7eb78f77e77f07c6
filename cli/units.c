/* SPDX-License-Identifier: Apache-2.0 */
/* See units.h. */
#include "cli/units.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boundary/boundary.h"

struct unit {
    const char *name;
    double factor;
};

/* A decimal number without sign or exponent, and the unit behind it.  "inf", "nan" and hexadecimal
 * are not numbers here. */
static bool parse_scaled(const char *text, const struct unit *units, double *out)
{
    size_t digits = strspn(text, "0123456789.");
    char number[32];
    char *end;

    if (!digits || digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = 0;
    *out = strtod(number, &end);
    if (*end || !isdigit((unsigned char)number[0]))
        return false;
    for (; units->name; units++) {
        if (strcasecmp(text + digits, units->name))
            continue;
        *out *= units->factor;
        return true;
    }
    return false;
}

bool units_parse_duration(const char *text, uint64_t *out_microseconds)
{
    static const struct unit units[] = {{"us", 1},    {"ms", 1e3},  {"s", 1e6}, {"m", 6e7},
                                        {"min", 6e7}, {"h", 3.6e9}, {NULL, 0}};
    double value;

    if (!strcmp(text, "0"))
        value = 0;
    else if (!parse_scaled(text, units, &value) || value > 1e15)
        return false;
    *out_microseconds = (uint64_t)(value + 0.5);
    return true;
}

bool units_parse_size(const char *text, uint64_t *out_bytes)
{
    static const struct unit units[] = {
        {"", 1},         {"b", 1},       {"k", 0x1p10},   {"kb", 0x1p10},  {"kib", 0x1p10},
        {"m", 0x1p20},   {"mb", 0x1p20}, {"mib", 0x1p20}, {"g", 0x1p30},   {"gb", 0x1p30},
        {"gib", 0x1p30}, {"t", 0x1p40},  {"tb", 0x1p40},  {"tib", 0x1p40}, {NULL, 0}};
    double value;

    if (!parse_scaled(text, units, &value) || value > 0x1p60)
        return false;
    *out_bytes = (uint64_t)value;
    return true;
}

static bool name_character(char c)
{
    return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

bool units_valid_name(const char *name)
{
    size_t length = strlen(name);

    if (!length || length >= OM_NAME_MAX || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!name_character(name[i]))
            return false;
    return true;
}

void units_name_of_program(const char *path, char *out_name, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t length = 0;

    for (const char *c = slash ? slash + 1 : path; *c && length + 1 < size; c++) {
        bool first_bad = !length && (*c == '.' || *c == '-');

        if (name_character(*c) && !first_bad)
            out_name[length++] = *c;
    }
    out_name[length] = 0;
    if (!length)
        snprintf(out_name, size, "program");
}

const char *units_size(double bytes, char *buffer, size_t size)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;

    for (; bytes >= 1024 && i + 1 < sizeof(names) / sizeof(names[0]); i++)
        bytes /= 1024;
    snprintf(buffer, size,
             i == 0       ? "%.0f %s"
             : bytes < 10 ? "%.2f %s"
                          : "%.1f %s",
             bytes, names[i]);
    return buffer;
}

const char *units_duration_ms(double milliseconds, char *buffer, size_t size)
{
    if (milliseconds < 1000)
        snprintf(buffer, size, milliseconds < 10 ? "%.2f ms" : "%.1f ms", milliseconds);
    else if (milliseconds < 60e3)
        snprintf(buffer, size, "%.2f s", milliseconds / 1000);
    else
        snprintf(buffer, size, "%.0f min %02.0f s", floor(milliseconds / 60e3),
                 fmod(milliseconds, 60e3) / 1000);
    return buffer;
}

/* Length of the UTF-8 character at text, 0 if it is none that should be shown. */
static size_t utf8_length(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t length = c[0] < 0x80 ? 1 : (c[0] & 0xe0) == 0xc0 ? 2 : (c[0] & 0xf0) == 0xe0 ? 3 : 4;

    if (length == 1)
        return c[0] >= 0x20 && c[0] != 0x7f ? 1 : 0;
    if (c[0] < 0xc2 || c[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    if ((c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xe0 && c[1] < 0xa0) ||
        (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xf0 && c[1] < 0x90) ||
        (c[0] == 0xf4 && c[1] >= 0x90))
        return 0; /* C1 controls, overlong forms, surrogates, beyond Unicode. */
    return length;
}

const char *units_printable(const char *text, char *buffer, size_t size)
{
    size_t at = 0;

    while (*text && at + 5 < size) {
        size_t length = utf8_length(text);

        if (!length) {
            buffer[at++] = '?';
            text++;
            continue;
        }
        memcpy(buffer + at, text, length);
        at += length;
        text += length;
    }
    buffer[at] = 0;
    return buffer;
}

json_t *units_any_bytes_to_json(const char *bytes, size_t length)
{
    json_t *text = json_stringn(bytes, length), *object;
    char *hex;

    if (text)
        return text;
    hex = malloc(2 * length + 1);
    if (!hex)
        return NULL;
    hex[0] = 0;
    for (size_t i = 0; i < length; i++)
        sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
    object = json_pack("{s:s}", "hex", hex);
    free(hex);
    return object;
}

json_t *units_bytes_to_json(const char *bytes)
{
    return units_any_bytes_to_json(bytes, strlen(bytes));
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *units_any_bytes_from_json(const json_t *value, size_t *out_length)
{
    const char *text = json_string_value(value);
    const char *hex = json_string_value(json_object_get(value, "hex"));
    size_t length = text ? json_string_length(value) : hex ? strlen(hex) / 2 : 0;
    char *bytes = text || hex ? malloc(length + 1) : NULL;

    if (!bytes)
        return NULL;
    if (text)
        memcpy(bytes, text, length);
    for (size_t i = 0; !text && i < length; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0) {
            free(bytes);
            return NULL;
        }
        bytes[i] = (char)(high << 4 | low);
    }
    bytes[length] = 0;
    *out_length = length;
    return bytes;
}

char *units_bytes_from_json(const json_t *value)
{
    size_t length;
    char *bytes = units_any_bytes_from_json(value, &length);

    if (bytes && strlen(bytes) != length) { /* a NUL would end the string early */
        free(bytes);
        return NULL;
    }
    return bytes;
}

const char *units_isolation(const char *platform)
{
    return strcmp(platform, "sim") ? "isolated with its guest" : "no isolation";
}

const char *units_isolation_warning(const char *platform)
{
    return strcmp(platform, "sim")
               ? "enclaves are isolated from outside of this confidential VM, not from its kernel "
                 "and root"
               : "NO ISOLATION, the host can read and change everything in its enclaves";
}
