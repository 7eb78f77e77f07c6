/* SPDX-License-Identifier: Apache-2.0 */
/* optmig: the command line.  Each command has its function in command_*.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/locate.h"
#include "cli/units.h"

struct command {
    const char *name;
    int (*call)(struct common_options *options, int argc, char **argv);
};

static const struct command g_commands[] = {
    {"run", command_run},
    {"migrate", command_migrate},
    {"check", command_check},
    {"ls", command_ls},
    {"status", command_status},
    {"cancel", command_cancel},
    {"stop", command_stop},
    {"signal", command_signal},
    {"ping", command_ping},
    {"logs", command_logs},
    {"attach", command_attach},
    {"inspect", command_inspect},
    {"collect-evidence", command_collect_evidence},
    {"verify-evidence", command_verify_evidence},
    {"receipt", command_receipt},
    {"recover", command_recover},
    {"attack", command_attack},
};

enum { COMMANDS = sizeof(g_commands) / sizeof(g_commands[0]) };

static const struct option g_options[] = {
    {"version", no_argument, NULL, 'v'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(g_commands[i].name, name))
            return &g_commands[i];
    return NULL;
}

static const char *command_name(const void *commands, size_t i)
{
    if (i == COMMANDS)
        return "help";
    return i < COMMANDS ? ((const struct command *)commands)[i].name : NULL;
}

static _Noreturn void unknown_command(const char *name)
{
    const char *meant = arguments_nearest(name, command_name, g_commands);
    char printable[256];

    fprintf(stderr, "optmig: there is no command '%s'",
            units_printable(name, printable, sizeof(printable)));
    if (meant)
        fprintf(stderr, "; did you mean 'optmig %s'?  See 'optmig --help'\n", meant);
    else
        fprintf(stderr, "; see 'optmig --help'\n");
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

    while ((option = arguments_next("optmig", argc, argv, "+:", g_options)) != -1) {
        if (option == 'v') {
            puts("optmig " OPTMIG_VERSION);
            return EXIT_OK;
        }
        client_common_option(&options, NULL, option);
    }
    argc -= optind;
    argv += optind;
    if (!argc) {
        fprintf(stderr, "optmig: which command?  See 'optmig --help'\n");
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
