/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of optmig-host, the process around one enclave.  `optmig run` becomes it by
 * exec, the daemon spawns it; users do not call it themselves.
 *
 *   optmig-host [OPTION...] --program PATH -- ARGV0 [ARGUMENT...]    start a program
 *   optmig-host [OPTION...] --receive                                take in one that is moved here
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "host/line.h"
#include "host/receipt.h"
#include "host/registry.h"
#include "host/relay_start.h"
#include "host/report.h"
#include "host/service.h"
#include "host/terminal.h"

enum { EXIT_USAGE = 2, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

struct arguments {
    struct enclave_options enclave;
    const char *program;
    char **argv;
    int control_fd;
    bool receive, terminal;
    struct om_service services[OM_SERVICES_MAX];
    uint32_t service_count;
};

extern char **environ;

static _Noreturn void usage(const char *problem)
{
    fprintf(
        stderr,
        "optmig-host: %s\n"
        "usage: optmig-host [--name NAME] [--control-fd N] [--key FILE] [--runtime FILE]\n"
        "                   [--bundle FILE] [--receipts DIR] [--tsm DIR] [--registry ADDR:PORT]\n"
        "                   [--log-level LEVEL] [--umask OCTAL] [--quiet] [--logged]\n"
        "                   [--service ADDRESS/PREFIX@DEVICE]... [--device DEVICE]\n"
        "                   [--tracker TRACKER] [--audit] [--slow-calls] [--terminal]\n"
        "                   --program PATH -- ARGV0 [ARGUMENT...]  |  --receive\n"
        "It is started by optmig and optmigd; see: optmig help run\n",
        problem);
    exit(EXIT_USAGE);
}

static int parse_number(const char *text, int base, const char *problem)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, base);
    if (errno || end == text || *end || value < 0 || value > 1 << 20)
        usage(problem);
    return (int)value;
}

static void parse_log_level(struct arguments *arguments, const char *text)
{
    int level = log_level_parse(text);

    if (level < 0)
        usage("--log-level: error, warn, info or debug");
    arguments->enclave.log_level = (enum om_log_level)level;
}

static const struct option g_options[] = {
    {"name", required_argument, NULL, 'n'},
    {"control-fd", required_argument, NULL, 'c'},
    {"key", required_argument, NULL, 'k'},
    {"runtime", required_argument, NULL, 'r'},
    {"receipts", required_argument, NULL, 'e'},
    {"bundle", required_argument, NULL, 'b'},
    {"tsm", required_argument, NULL, 'm'},
    {"program", required_argument, NULL, 'p'},
    {"log-level", required_argument, NULL, 'l'},
    {"umask", required_argument, NULL, 'u'},
    {"receive", no_argument, NULL, 'R'},
    {"service", required_argument, NULL, 's'},
    {"device", required_argument, NULL, 'd'},
    {"quiet", no_argument, NULL, 'q'},
    {"terminal", no_argument, NULL, 'T'},
    {"logged", no_argument, NULL, 'L'},
    {"tracker", required_argument, NULL, 't'},
    {"audit", no_argument, NULL, 'a'},
    {"slow-calls", no_argument, NULL, 'S'},
    {"registry", required_argument, NULL, 'g'},
    {NULL, 0, NULL, 0},
};

/* ADDRESS/PREFIX@DEVICE, as optmig run puts it together. */
static void add_service(struct arguments *arguments, char *text)
{
    char *device = strrchr(text, '@');

    if (!device || arguments->service_count == OM_SERVICES_MAX)
        usage("--service: at most 8 of ADDRESS/PREFIX@DEVICE");
    *device = 0;
    if (!service_parse(text, device + 1, &arguments->services[arguments->service_count++]))
        usage("--service: not ADDRESS/PREFIX@DEVICE");
}

static void apply_flag(struct arguments *arguments, int option)
{
    switch (option) {
    case 'R':
        arguments->receive = true;
        break;
    case 'q':
        arguments->enclave.quiet = true;
        break;
    case 'a':
        arguments->enclave.audit = true;
        break;
    case 'S':
        arguments->enclave.slow_calls = true;
        break;
    case 'T':
        arguments->terminal = true;
        break;
    case 'L':
        arguments->enclave.logged = true;
        break;
    default:
        usage("unknown option");
    }
}

static void apply(struct arguments *arguments, int option)
{
    switch (option) {
    case 'n':
        if (strlen(optarg) >= sizeof(arguments->enclave.name))
            usage("--name is too long");
        strcpy(arguments->enclave.name, optarg);
        break;
    case 'c':
        arguments->control_fd = parse_number(optarg, 10, "--control-fd: not a descriptor");
        break;
    case 'k':
        arguments->enclave.key_path = optarg;
        break;
    case 'r':
        arguments->enclave.runtime_path = optarg;
        break;
    case 'b':
        arguments->enclave.bundle_path = optarg;
        break;
    case 'm':
        arguments->enclave.tsm_path = optarg;
        break;
    case 'e':
        receipt_keep_in(optarg);
        break;
    case 'g':
        registry_at(optarg);
        break;
    case 'p':
        arguments->program = optarg;
        break;
    case 'l':
        parse_log_level(arguments, optarg);
        break;
    case 'u':
        umask((mode_t)parse_number(optarg, 8, "--umask: not an octal number"));
        break;
    case 's':
        add_service(arguments, optarg);
        break;
    case 'd':
        service_set_device(optarg);
        break;
    case 't':
        if (tracker_parse(optarg) < 0)
            usage("--tracker: kernel, mprotect or barrier");
        arguments->enclave.tracker = (enum om_tracker)tracker_parse(optarg);
        break;
    default:
        apply_flag(arguments, option);
    }
}

static void parse_arguments(int argc, char **argv, struct arguments *out)
{
    int option;

    *out = (struct arguments){.control_fd = -1};
    out->enclave.log_fd = -1;
    out->enclave.log_level = OM_LOG_WARN;
    strcpy(out->enclave.name, "enclave");
    while ((option = getopt_long(argc, argv, "+", g_options, NULL)) != -1)
        apply(out, option);
    out->argv = argv + optind;
    if (out->receive ? out->control_fd < 0 : !out->program || !out->argv[0])
        usage(out->receive ? "--receive needs --control-fd" : "which program?");
    if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
        out->enclave.log_fd = STDERR_FILENO;
}

/* Tells whoever waits for the start, then ends the way a shell would. */
static _Noreturn void fail(const struct arguments *arguments, int error, const char *reason)
{
    struct line_writer writer = {0};
    int status = error == -ENOENT                        ? EXIT_NOT_FOUND
                 : error == -EACCES || error == -ENOEXEC ? EXIT_NOT_EXECUTABLE
                                                         : 1;

    /* The loader's reasons begin with the path themselves. */
    if (arguments->program && strncmp(reason, arguments->program, strlen(arguments->program)))
        fprintf(stderr, "optmig run: %s: %s\n", arguments->argv[0], reason);
    else
        fprintf(stderr, "optmig run: %s\n", reason);
    if (arguments->control_fd >= 0) {
        line_append(&writer, json_pack("{s:s, s:s, s:i}", "event", "failed", "reason", reason,
                                       "exit_status", status));
        line_flush(&writer, arguments->control_fd);
    }
    _exit(status);
}

/* For the program's input and output; what this process has to say goes to the log still. */
static bool take_terminal(void)
{
    int slave = (int)host_terminal();

    for (int fd = STDIN_FILENO; slave >= 0 && fd <= STDERR_FILENO; fd++)
        if (dup2(slave, fd) < 0)
            return false;
    return slave >= 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    char reason[OM_REASON_MAX] = "";
    int error, control_fd;

    parse_arguments(argc, argv, &arguments);
    error = enclave_create(&arguments.enclave, reason);
    if (error)
        fail(&arguments, -EIO, reason[0] ? reason : "the enclave could not be made");
    control_prepare();
    if (!arguments.receive)
        host_terminal_find();
    if (relay_prepare())
        fail(&arguments, -errno, "no descriptors for the relay");
    if (arguments.control_fd >= 0) {
        control_fd = host_fd_keep(arguments.control_fd);
        if (control_fd < 0)
            fail(&arguments, -errno, "the link to the daemon could not be kept");
        arguments.control_fd = control_fd;
        control_link(control_fd);
    }
    if (arguments.terminal && !take_terminal())
        fail(&arguments, -errno, "no terminal could be made for it");
    if (!arguments.receive) {
        error = enclave_start(arguments.program, arguments.argv, environ, NULL, arguments.services,
                              arguments.service_count, reason);
        if (error)
            fail(&arguments, error, reason[0] ? reason : strerror(-error));
    }
    control_run(arguments.receive);
}
