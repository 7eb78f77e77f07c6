/* SPDX-License-Identifier: Apache-2.0 */
/* optmig: the command line.  Each command has its function in command_*.c. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/locate.h"

struct command {
    const char *name;
    int (*call)(struct common_options *options, int argc, char **argv);
};

static const struct command g_commands[] = {
    {"run", command_run},       {"migrate", command_migrate}, {"ls", command_ls},
    {"status", command_status}, {"cancel", command_cancel},   {"stop", command_stop},
    {"signal", command_signal}, {"ping", command_ping},       {"logs", command_logs},
};

static const struct option g_options[] = {
    {"version", no_argument, NULL, 'v'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(g_commands) / sizeof(g_commands[0]); i++)
        if (!strcmp(g_commands[i].name, name))
            return &g_commands[i];
    return NULL;
}

static _Noreturn void unknown_command(const char *name)
{
    fprintf(stderr, "optmig: there is no command %s; see: optmig --help\n", name);
    exit(EXIT_USAGE);
}

static int help(int argc, char **argv)
{
    if (argc > 1 && !find(argv[1]))
        unknown_command(argv[1]);
    help_print(argc > 1 ? argv[1] : NULL);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    const char *host = getenv("OPTMIG_HOST");
    struct common_options options = {.host = host && *host ? host : LOCATE_DEFAULT_STATE};
    const struct command *command;
    int option;

    while ((option = getopt_long(argc, argv, "+", g_options, NULL)) != -1) {
        if (option == 'v') {
            puts("optmig " OPTMIG_VERSION);
            return EXIT_OK;
        }
        if (!client_common_option(&options, NULL, option))
            return EXIT_USAGE;
    }
    argc -= optind;
    argv += optind;
    if (!argc) {
        fprintf(stderr, "optmig: which command?  See: optmig --help\n");
        return EXIT_USAGE;
    }
    optind = 0; /* The command parses its own options from the begin. */
    if (!strcmp(argv[0], "help"))
        return help(argc, argv);
    command = find(argv[0]);
    if (!command)
        unknown_command(argv[0]);
    return command->call(&options, argc, argv);
}
