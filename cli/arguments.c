/* SPDX-License-Identifier: Apache-2.0 */
/* See arguments.h. */
#include "cli/arguments.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/units.h"

enum { STATUS_USAGE = 2, NAME_bytes = 32, SHOWN_bytes = 80 };

/* ---- What was meant ---- */

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters to change, add, leave out, or swap with the next. */
static unsigned distance(const char *a, const char *b)
{
    unsigned best[NAME_bytes + 1][NAME_bytes + 1];
    const size_t rows = strlen(a), columns = strlen(b);

    if (rows > NAME_bytes || columns > NAME_bytes)
        return NAME_bytes;
    for (size_t i = 0; i <= rows; i++) {
        for (size_t j = 0; j <= columns; j++) {
            if (!i || !j) {
                best[i][j] = (unsigned)(i + j);
                continue;
            }
            best[i][j] = min(best[i - 1][j], best[i][j - 1]) + 1;
            best[i][j] = min(best[i][j], best[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best[i][j] = min(best[i][j], best[i - 2][j - 2] + 1);
        }
    }
    return best[rows][columns];
}

void arguments_put(char **arguments, size_t *count, const char *option, const char *value)
{
    arguments[(*count)++] = (char *)option;
    arguments[(*count)++] = (char *)value;
}

const char *arguments_nearest(const char *typed, const char *(*name)(const void *, size_t),
                              const void *names)
{
    /* One letter in three may be wrong: more, and any short word would be near any other. */
    unsigned nearest = (unsigned)strlen(typed) / 3 + 1;
    const char *found = NULL, *candidate;

    for (size_t i = 0; (candidate = name(names, i)); i++) {
        /* A beginning is near, however much of the end is missing. */
        bool begins = *typed && !strncmp(candidate, typed, strlen(typed));
        unsigned away = begins ? 0 : distance(typed, candidate);

        if (away < nearest) {
            nearest = away;
            found = candidate;
        }
    }
    return found;
}

/* ---- What was wrong ---- */

static const char *option_name(const void *options, size_t i)
{
    return ((const struct option *)options)[i].name;
}

static bool is_ambiguous(const char *name, const struct option *options)
{
    unsigned count = 0;

    for (size_t i = 0; options[i].name; i++)
        count += !strncmp(options[i].name, name, strlen(name));
    return count > 1;
}

/* option is what getopt_long returned: ':' for a value that is missing, '?' for all else. */
static _Noreturn void explain(const char *program, int option, const char *typed,
                              const struct option *options)
{
    char name[SHOWN_bytes], shown[SHOWN_bytes];
    const char *meant = NULL;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed, "="), typed);
    units_printable(name, shown, sizeof(shown));
    fprintf(stderr, "%s: ", program);
    if (option == ':') {
        fprintf(stderr, "option '%s' needs a value", shown);
    } else if (optopt && !strncmp(name, "--", 2)) {
        fprintf(stderr, "option '%s' takes no value", shown);
    } else if (!strncmp(name, "--", 2) && is_ambiguous(name + 2, options)) {
        fprintf(stderr, "option '%s' could be more than one", shown);
    } else {
        fprintf(stderr, "there is no option '%s'", shown);
        if (!strncmp(name, "--", 2))
            meant = arguments_nearest(name + 2, option_name, options);
    }
    if (meant)
        fprintf(stderr, "; did you mean '--%s'?  See '%s --help'\n", meant, program);
    else
        fprintf(stderr, "; see '%s --help'\n", program);
    exit(STATUS_USAGE);
}

int arguments_next(const char *program, int argc, char **argv, const char *shorts,
                   const struct option *options)
{
    const int before = optind;
    char letter[] = "-?";
    int option;

    opterr = 0;
    option = getopt_long(argc, argv, shorts, options, NULL);
    if (option != '?' && option != ':')
        return option;
    /* Behind a long option getopt_long stands always; in a cluster of short ones not yet. */
    if (optind > before && !strncmp(argv[optind - 1], "--", 2))
        explain(program, option, argv[optind - 1], options);
    letter[1] = (char)optopt;
    explain(program, option, letter, options);
}
