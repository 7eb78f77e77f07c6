/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of optmig help. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"

struct help {
    const char *command, *summary, *text;
};

static const struct help g_help[] = {
    {"run", "run a program as an enclave",
     "usage: optmig run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
     "\n"
     "Runs an unmodified program as an enclave.  In the foreground it behaves as if run directly:\n"
     "terminal, signals and exit status are its own.  Without a daemon it runs, but cannot be "
     "moved.\n"
     "\n"
     "  --name NAME            how to call it (default: the program's name, with a number if "
     "taken)\n"
     "  --detach               run it under the daemon; prints its name once it has started\n"
     "  --tracker TRACKER      how written pages are found in a move: kernel (default) or "
     "mprotect\n"
     "  --platform sim         the only one in this build; it isolates NOTHING\n"
     "  --log-level LEVEL      of the runtime: error, warn (default), info, debug\n"
     "  --quiet                no notes of optmig on stderr\n"
     "\n"
     "Exit status: the program's; 126 if it cannot be executed, 127 if it is not found.\n"
     "With --detach: 0 once it has started, else 1.\n"},
    {"migrate", "move an enclave to another host while it runs",
     "usage: optmig migrate NAME --to ADDR:PORT [OPTION...]\n"
     "\n"
     "  --to ADDR:PORT         the optmigd that takes it in\n"
     "  --mode MODE            hybrid (default): rounds of pre-copy, then post-copy for the rest\n"
     "                         precopy: what is left is sent while the program is stopped\n"
     "                         postcopy: moved at once, memory follows\n"
     "                         stopcopy: stopped while all of it is copied (the baseline)\n"
     "  --tracker TRACKER      kernel or mprotect (default: as given to optmig run)\n"
     "  --connections WHAT     of established TCP connections: move, or reset to give them up;\n"
     "                         refused if they cannot be moved there (default move)\n"
     "  --max-downtime TIME    how long the program may stand still (default 20ms)\n"
     "  --deadline TIME        end the rounds so that the move is done by then (default: none)\n"
     "  --no-progress          no progress line, not even on a terminal\n"
     "  --json                 the report as one JSON object\n"
     "\n"
     "Times have a unit: 500us, 20ms, 1.5s, 2m.  Ctrl-C cancels the move; the program runs on.\n"
     "Exit status: 0 moved, 1 refused before anything happened, 2 usage, 3 failed and the program\n"
     "still runs here, 4 the program is lost.\n"},
    {"ls", "list the enclaves of the daemon",
     "usage: optmig ls [--json]\n"
     "\n"
     "Lists enclaves that run here, and for the record those that have ended or moved away.\n"},
    {"status", "show one enclave",
     "usage: optmig status NAME [--json]\n"
     "\n"
     "Shows state, process, memory, threads, descriptors, and its moves so far.\n"},
    {"cancel", "cancel a move that is under way",
     "usage: optmig cancel NAME [--json]\n"
     "\n"
     "Returns when the move has ended.  Exit status: 0 if the program runs on here; 1 if it was "
     "too\n"
     "late (the program had been handed over) or there was no move.\n"},
    {"stop", "end an enclave's program",
     "usage: optmig stop NAME [--timeout TIME] [--json]\n"
     "\n"
     "Sends SIGTERM, and SIGKILL when the program has not ended in time (default 10s).\n"},
    {"signal", "send a signal to an enclave's program",
     "usage: optmig signal NAME SIGNAL\n"
     "\n"
     "SIGNAL is a name or number: HUP, USR1, 15.\n"},
    {"logs", "show what a detached enclave has written",
     "usage: optmig logs NAME [-f|--follow] [--json]\n"
     "\n"
     "  -f, --follow           go on until the enclave ends\n"
     "  --json                 one object {\"name\", \"line\"} a line\n"},
    {"ping", "ask whether the daemon is there",
     "usage: optmig ping [--wait TIME] [--json]\n"
     "\n"
     "  --wait TIME            wait so long for a daemon that is just starting\n"},
};

static void print_overview(void)
{
    puts("usage: optmig COMMAND [OPTION...]\n"
         "\n"
         "OptMig runs unmodified programs as enclaves and moves them live between hosts.\n"
         "Platform sim, the only one in this build, has the structure of an enclave and isolates "
         "NOTHING.\n");
    for (size_t i = 0; i < sizeof(g_help) / sizeof(g_help[0]); i++)
        printf("  %-10s %s\n", g_help[i].command, g_help[i].summary);
    puts("\n"
         "Options of all commands:\n"
         "  --host DIR   state directory of the daemon to talk to (default: $OPTMIG_HOST, or "
         "/run/optmig)\n"
         "  --json       print JSON\n"
         "  --help       the same as: optmig help COMMAND\n"
         "\n"
         "More on a command: optmig help COMMAND.  Each host runs a daemon: optmigd --help.");
}

void help_print(const char *command)
{
    for (size_t i = 0; command && i < sizeof(g_help) / sizeof(g_help[0]); i++) {
        if (!strcmp(command, g_help[i].command)) {
            printf("optmig %s: %s\n\n%s", command, g_help[i].summary, g_help[i].text);
            return;
        }
    }
    print_overview();
}
