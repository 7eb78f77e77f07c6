/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of optmig help. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"

struct help {
    const char *command, *summary, *text;
};

#define ORDINARY_STATUS                                                                            \
    "\nExit status: 0 done, 1 not done (no daemon, or no such enclave), 2 wrong usage.\n"

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
     "  -d, --detach           run it under the daemon; prints its name once it has started\n"
     "  -t, --tty              give it a terminal of its own, which moves with it (-it works "
     "too);\n"
     "                         this terminal is attached to it, unless --detach is given.  Ctrl-P\n"
     "                         Ctrl-Q detaches; 'optmig attach' comes back\n"
     "  --follow STATE         with -t: as of 'optmig attach'\n"
     "  --tracker TRACKER      how written pages are found in a move: kernel (default), "
     "mprotect,\n"
     "                         or barrier, for programs built with optmig-cc; others are refused\n"
     "  --audit                the kernel watches the barrier tracker in each move; a page that "
     "was\n"
     "                         written and not marked is named, and the move fails\n"
     "  --slow-calls           every system call raises a signal, as where its number cannot be "
     "seen\n"
     "                         in the code; for comparing (see docs/fast-calls.md)\n"
     "  --address ADDR/BITS    a service address: it is on --device while the program runs here, "
     "and\n"
     "                         moves with it, and so do its connections (up to 8 times; root)\n"
     "  --device INTERFACE     the network interface for them\n"
     "  --platform sim         isolates NOTHING; others are chosen at optmigd (--platform tsm)\n"
     "  --log-level LEVEL      of the runtime: error, warn (default), info, debug\n"
     "  --quiet                no notes of optmig on stderr; warnings of the runtime stay, unless\n"
     "                         --log-level is error\n"
     "\n"
     "Examples:\n"
     "  seq 9 | optmig run -- sort -rn\n"
     "  optmig run -it --name calc -- python3\n"
     "  optmig run --name kv --detach -- redis-server --port 7000 --save ''\n"
     "  optmig run --detach --address 10.1.0.5/24 --device br0 -- redis-server --bind 10.1.0.5\n"
     "\n"
     "Exit status: the program's own; a shell shows 128 + N if signal N ended it.  0 when it has\n"
     "moved away, 4 if it has left and its move did not end well; stderr says which.  126 if it\n"
     "cannot be executed, 127 if there is no such program, 1 if the daemon refuses it (the name "
     "is\n"
     "taken), 2 for wrong usage.\n"
     "With --detach: 0 once it has started (then 'optmig status' shows how it ends), 126 and 127\n"
     "as above, 1 if there is no daemon or it did not start for another reason, 2 wrong usage.\n"},
    {"migrate", "move an enclave to another host while it runs",
     "usage: optmig migrate NAME --to ADDR:PORT [OPTION...]\n"
     "\n"
     "  --to ADDR:PORT         the optmigd that takes it in\n"
     "  --mode MODE            hybrid (default): rounds of pre-copy, then post-copy for the rest\n"
     "                         precopy: what is left is sent while the program is stopped\n"
     "                         postcopy: moved at once, memory follows\n"
     "                         stopcopy: stopped while all of it is copied (the baseline)\n"
     "  --tracker TRACKER      kernel, mprotect or barrier (default: as given to optmig run)\n"
     "  --audit                the kernel watches the barrier tracker (see optmig help run)\n"
     "  --connections WHAT     of established TCP connections: move (default; refused if their\n"
     "                         addresses cannot be there), reset to give them up, or proxy: they\n"
     "                         stay at this host, where a relay passes on what comes as long as\n"
     "                         they last; the destination must reach this host by TCP\n"
     "  --proxy                the same as --connections proxy\n"
     "  --max-downtime TIME    how long the program may stand still (default 20ms)\n"
     "  --deadline TIME        end the rounds so that the move is done by then (default: none)\n"
     "  --resume               no new move: the one whose destination could not be reached, and\n"
     "                         which is in doubt, goes on to where it was going\n"
     "  --no-progress          no progress line, not even on a terminal\n"
     "  --json                 the report as one JSON object\n"
     "\n"
     "Times have a unit: 500us, 20ms, 1.5s, 2m.  Ctrl-C cancels the move; the program runs on.\n"
     "\n"
     "Example:\n"
     "  optmig migrate kv --to 127.0.0.1:7702 --mode precopy --max-downtime 50ms\n"
     "\n"
     "Exit status: 0 moved, 1 refused before anything happened, 2 usage, 3 failed and the program\n"
     "still runs here, 4 the program is lost, 6 in doubt: it has left or is about to, and its\n"
     "destination cannot be reached (optmig status NAME says what would settle it).\n"},
    {"inspect", "see whether a program is instrumented for --tracker barrier",
     "usage: optmig inspect FILE [--json]\n"
     "\n"
     "FILE is a program or an object.  Says whether all of it was built with optmig-cc, and how "
     "many\n"
     "stores, marks and safepoints it has.\n"
     "\n"
     "Example:\n"
     "  optmig inspect ./my-server\n"
     "\n"
     "Exit status: 0 fully instrumented, 1 not, or it cannot be read, 2 wrong usage.\n"},
    {"check", "find out what would keep an enclave from being moved",
     "usage: optmig check NAME --to ADDR:PORT [--connections move|proxy|reset] [--tracker T] "
     "[--json]\n"
     "\n"
     "Asks both hosts everything that a move asks first: memory, processor, files, addresses,\n"
     "connections, policies.  Names all that is in the way; moves nothing, and the program runs "
     "on.\n"
     "Where the hosts obey a policy (optmigd --policy): PASS or FAIL for each of its rules, with "
     "what\n"
     "the source or the destination has, and what the other one wants.\n"
     "\n"
     "Example:\n"
     "  optmig check kv --to 127.0.0.1:7702 && optmig migrate kv --to 127.0.0.1:7702\n"
     "\n"
     "Exit status: 0 nothing is in the way, 1 something is (or no daemon, or no such enclave),\n"
     "2 wrong usage.\n"},
    {"ls", "list the enclaves of the daemon",
     "usage: optmig ls [--json]\n"
     "\n"
     "Lists enclaves that run here, and for the record those that have ended or moved away.\n"
     "\n"
     "Examples:\n"
     "  optmig ls\n"
     "  optmig --host /run/optmig/beta ls --json | jq -r '.enclaves[].name'\n" ORDINARY_STATUS},
    {"status", "show one enclave",
     "usage: optmig status NAME [--json]\n"
     "\n"
     "Shows state, process, memory, threads, descriptors, and its moves so far.\n"
     "\n"
     "Example:\n"
     "  optmig status kv\n" ORDINARY_STATUS},
    {"cancel", "cancel a move that is under way",
     "usage: optmig cancel NAME [--json]\n"
     "\n"
     "Returns when the move has ended.  Exit status: 0 if the program runs on here; 1 if it was "
     "too\n"
     "late (the program had been handed over) or there was no move.\n"
     "\n"
     "Example, while 'optmig migrate kv' runs:\n"
     "  optmig cancel kv\n"},
    {"stop", "end an enclave's program",
     "usage: optmig stop NAME [--timeout TIME] [--json]\n"
     "\n"
     "Sends SIGTERM, and SIGKILL when the program has not ended in time (default 10s).\n"
     "\n"
     "Example:\n"
     "  optmig stop kv --timeout 500ms\n" ORDINARY_STATUS},
    {"signal", "send a signal to an enclave's program",
     "usage: optmig signal NAME SIGNAL [--json]\n"
     "\n"
     "SIGNAL is a name or number: HUP, USR1, 15.\n"
     "\n"
     "Example:\n"
     "  optmig signal web HUP\n" ORDINARY_STATUS},
    {"logs", "show what a detached enclave has written",
     "usage: optmig logs NAME [-f|--follow] [--json]\n"
     "\n"
     "  -f, --follow           go on until the enclave ends\n"
     "  --json                 one object {\"name\", \"line\"} a line\n"
     "\n"
     "Example:\n"
     "  optmig logs kv -f\n" ORDINARY_STATUS},
    {"attach", "be at the terminal of an enclave",
     "usage: optmig attach NAME [--follow STATE]...\n"
     "\n"
     "Of a program that was started with 'optmig run -t', or on a terminal and has moved.  Shows\n"
     "what it has shown last; keys go to the program as they are, Ctrl-C too.  Several may be\n"
     "attached at once.\n"
     "\n"
     "  Ctrl-P Ctrl-Q          detaches; the program runs on\n"
     "  --follow STATE         when the program moves, look for it at the daemon with this state\n"
     "                         directory, and go on there (up to 16 times)\n"
     "\n"
     "Example:\n"
     "  optmig attach calc --follow /run/optmig/alpha --follow /run/optmig/beta\n"
     "\n"
     "Exit status: the program's when it ends (128 + N if signal N ended it); 0 when detached or\n"
     "when it has moved away; 1 if there is no daemon, no such enclave, or it has no terminal;\n"
     "2 for wrong usage.\n"},
    {"collect-evidence", "in a confidential VM: a report and its certificates, as files",
     "usage: optmig collect-evidence --report-data HEX --out DIR [--json]\n"
     "\n"
     "Asks this kernel (configfs-tsm, Linux 6.7 or newer; SEV-SNP and TDX guests) for a report "
     "over\n"
     "these 64 bytes.  DIR/outblob is the report, DIR/auxblob its certificates, if the host gave\n"
     "any.  Needs root.\n"
     "\n"
     "Example:\n"
     "  optmig collect-evidence --report-data $(openssl rand -hex 64) --out evidence\n"
     "  optmig verify-evidence evidence/outblob --collateral evidence --policy p.json --policy-key "
     "k.pem\n"
     "\n"
     "Exit status: 0 done, 1 not done (no such interface, not root), 2 wrong usage.\n"},
    {"verify-evidence", "check evidence of a platform against a signed policy",
     "usage: optmig verify-evidence FILE --policy POLICY --policy-key KEY [OPTION...]\n"
     "\n"
     "FILE is an SNP report, a TDX or SGX quote, or evidence of sim.  Prints PASS or FAIL for "
     "each\n"
     "rule, with what was found and what is wanted.  Asks no daemon and no network.\n"
     "\n"
     "  --policy POLICY        the policy, JSON (docs/attestation.md)\n"
     "  --policy-key KEY       public key of who signs policies, PEM (default: "
     "$OPTMIG_POLICY_KEY)\n"
     "  --policy-signature SIG its signature (default: POLICY.sig)\n"
     "  --policy-state STATE   a file that remembers the highest version of the policy seen; an "
     "older\n"
     "                         policy is refused\n"
     "  --collateral PATH      certificates, revocation lists, Intel's collateral: a file, or all "
     "of a\n"
     "                         directory; may be given more than once\n"
     "  --report-data HEX      the 64 bytes that the evidence must be made over\n"
     "  --to ADDR, --from ADDR the other host: must be one of the policy's destinations, sources\n"
     "  --at TIME              judge as of then (2026-01-31T12:00:00Z; default: now)\n"
     "\n"
     "Example:\n"
     "  optmig verify-evidence report.bin --policy p.json --policy-key ops.pem --collateral "
     "certs/\n"
     "\n"
     "Exit status: 0 accepted, 1 refused or not readable, 2 wrong usage.\n"},
    {"receipt", "show and verify the record of a move that both enclaves have signed",
     "usage: optmig receipt NAME [--out FILE] [OPTION...]\n"
     "       optmig receipt --verify FILE... [OPTION...]\n"
     "\n"
     "The last move of NAME that this host took part in, as its source or its destination, or that "
     "of\n"
     "any FILE; several have to be moves of one enclave, one after the other.  Prints what was "
     "moved\n"
     "and under which policies, then PASS or FAIL for each rule.  Asks no daemon and no network.\n"
     "\n"
     "  --out FILE             write the receipt there, for whoever wants to verify it\n"
     "  --policy POLICY        judge the evidence of both sides by this policy, JSON; without one\n"
     "                         only evidence of sim can be judged, which isolates NOTHING\n"
     "  --policy-key KEY       public key of who signs policies, PEM (default: "
     "$OPTMIG_POLICY_KEY)\n"
     "  --policy-signature SIG its signature (default: POLICY.sig)\n"
     "  --collateral PATH      as of 'optmig verify-evidence'\n"
     "  --at TIME              judge as of then (2026-01-31T12:00:00Z; default: now)\n"
     "\n"
     "Examples:\n"
     "  optmig receipt kv --out kv.receipt\n"
     "  optmig receipt --verify kv.receipt --policy p.json --policy-key ops.pem\n"
     "\n"
     "Exit status: 0 accepted, 1 refused, not readable or not there, 2 wrong usage.\n"},
    {"recover", "take a program back whose destination is gone before it started it",
     "usage: optmig recover NAME [--json]\n"
     "\n"
     "NAME waits for a destination that cannot be reached: the start token was sent, and nobody "
     "here\n"
     "knows whether it arrived.  Asks the registry of starts (optmigd --registry): if the "
     "destination\n"
     "has not claimed the start yet, it never can from now on, and NAME runs on here.  Otherwise\n"
     "NAME goes on waiting.  It is safe at any time: at most one of the two ever runs it.\n"
     "\n"
     "Exit status: 0 it runs on here (or has moved meanwhile), 1 it does not wait or there is no\n"
     "registry, 2 usage, 6 it was started there, or the registry does not answer: still in "
     "doubt.\n"},
    {"attack", "attack a program's moves between two daemons of your own",
     "usage: optmig attack NAME --to HOST:PORT [OPTION...] [ATTACK...]\n"
     "\n"
     "Moves the running program NAME through a hostile network that changes, drops, repeats, "
     "splices,\n"
     "reflects, forges or cuts what passes, and says PASS for an attack that was in vain: the move "
     "was\n"
     "refused with words and the program runs on here, in its process, or it arrived all the "
     "same.\n"
     "Without ATTACK all that leave the program here are made; it can be lost if OptMig is wrong.\n"
     "\n"
     "  --to HOST:PORT         the daemon that is to receive it\n"
     "  --list                 print the attacks: name, what becomes of the program, what is "
     "promised\n"
     "  --check COMMAND        after each attack; FAIL unless it ends with 0, as one that asks the "
     "program\n"
     "                         for its data\n"
     "  --destination DIR      state directory of that daemon, if it is on this machine: then also "
     "those\n"
     "                         that end in a move are made, and the program is moved back after "
     "each\n"
     "  --back HOST:PORT       how that daemon reaches this one (default: what this one listens "
     "on)\n"
     "  --second HOST:PORT     another daemon, for an attempt to start a second copy there\n"
     "  --long                 every bit and byte, not samples\n"
     "  --yes                  do not ask whether to begin\n"
     "  --quiet                only what failed, and the sum\n"
     "\n"
     "Examples:\n"
     "  optmig attack --list\n"
     "  optmig attack kv --to 10.0.0.2:7100 --check 'redis-cli -p 7000 dbsize'\n"
     "\n"
     "Exit status: 0 all in vain, 1 one was not, 2 wrong usage.\n"},
    {"ping", "ask whether the daemon is there",
     "usage: optmig ping [--wait TIME] [--json]\n"
     "\n"
     "  --wait TIME            wait so long for a daemon that is just starting\n"
     "\n"
     "Example:\n"
     "  optmigd --state /tmp/optmig & optmig --host /tmp/optmig ping --wait 5s\n" ORDINARY_STATUS},
};

static void print_overview(void)
{
    puts("usage: optmig COMMAND [OPTION...]\n"
         "\n"
         "OptMig runs unmodified programs as enclaves and moves them live between hosts.\n"
         "Platform sim, the default, has the structure of an enclave and isolates "
         "NOTHING.\n");
    for (size_t i = 0; i < sizeof(g_help) / sizeof(g_help[0]); i++)
        printf("  %-16s %s\n", g_help[i].command, g_help[i].summary);
    puts("\n"
         "Options of all commands:\n"
         "  --host DIR   state directory of the daemon to talk to (default: $OPTMIG_HOST, or "
         "/run/optmig)\n"
         "  --json       print JSON: one object, in one line; also for an error, next to its text\n"
         "               on stderr\n"
         "  --quiet      no notes, no progress\n"
         "  --help       the same as: optmig help COMMAND\n"
         "\n"
         "Example, two hosts on one machine:\n"
         "  optmigd --listen 127.0.0.1:7701 --state /run/optmig/alpha &\n"
         "  optmigd --listen 127.0.0.1:7702 --state /run/optmig/beta &\n"
         "  export OPTMIG_HOST=/run/optmig/alpha\n"
         "  optmig run --name web --detach -- python3 -m http.server 8000\n"
         "  optmig migrate web --to 127.0.0.1:7702\n"
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
