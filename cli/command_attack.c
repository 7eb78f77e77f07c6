/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig attack: attacks a program of the user's own between two daemons.  The attacks are those of
 * the tests (tests/adversary), a script that is installed with the rest; this finds and runs it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/locate.h"

enum { OWN_WORDS = 8 };

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help"))
            return true;
    return false;
}

int command_attack(struct common_options *common, int argc, char **argv)
{
    char script[PATH_MAX], self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char **words = calloc((size_t)argc + OWN_WORDS, sizeof(*words));
    int used = 0;

    if (asks_for_help(argc, argv)) {
        help_print("attack");
        free(words);
        return EXIT_OK;
    }
    if (!words || length <= 0 || !locate_attack(script, sizeof(script))) {
        fprintf(
            stderr,
            "optmig attack: its script is neither beside optmig nor in ../libexec/optmig/attack; "
            "install OptMig anew\n");
        free(words);
        return EXIT_REFUSED;
    }
    self[length] = 0;
    words[used++] = "python3";
    words[used++] = script;
    words[used++] = "--optmig";
    words[used++] = self;
    words[used++] = "--host"; /* One behind it, the user's, would count. */
    words[used++] = (char *)common->host;
    memcpy(words + used, argv + 1, sizeof(*words) * (size_t)(argc - 1));
    execvp(words[0], words);
    fprintf(stderr, "optmig attack: python3: %s; it is in Debian's package python3-minimal\n",
            strerror(errno));
    free(words);
    return EXIT_REFUSED;
}
