/* SPDX-License-Identifier: Apache-2.0 */
/* Options of optmig and optmigd: getopt_long, but a wrong one is explained. */
#pragma once

#include <getopt.h>
#include <stddef.h>

/* What getopt_long returns, -1 at the end.  A wrong option is said in one line on stderr that names
 * program ("optmig run") and its --help, and ends the process with status 2.  shorts begins with
 * ":" or "+:"; short options take no value. */
int arguments_next(const char *program, int argc, char **argv, const char *shorts,
                   const struct option *options);

/* Appends an option with its value to the arguments of another program, which only reads them. */
void arguments_put(char **arguments, size_t *count, const char *option, const char *value);

/* Which name was meant: the nearest to what was typed, or NULL if none is near.  name gives one
 * name for each index from 0, then NULL. */
const char *arguments_nearest(const char *typed, const char *(*name)(const void *, size_t),
                              const void *names);
