/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig run: starts a program as an enclave.  In the foreground it registers with the daemon and
 * then becomes the host process by exec, so that terminal, signals and exit status are the
 * program's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/attach.h"
#include "cli/client.h"
#include "cli/locate.h"
#include "cli/units.h"
#include "host/report.h"
#include "host/service.h"

enum {
    NOT_EXECUTABLE = 126,
    NOT_FOUND = 127,
    HOST_ARGUMENTS = 30 + 2 * OM_SERVICES_MAX,
    ENV_LEVELS_MAX = 4
};

extern char **environ;

struct run_options {
    const char *name; /* NULL: the daemon or the program's name decides */
    const char *tracker;
    const char *log_level;
    bool detach, audit, slow_calls, terminal;
    struct attach_follow follow;
    const char *device;
    struct om_service services[OM_SERVICES_MAX]; /* their device is filled in last */
    uint32_t service_count;
    char **argv;
    char path[PATH_MAX];
};

static const struct option g_options[] = {
    {"name", required_argument, NULL, 'n'},
    {"detach", no_argument, NULL, 'd'},
    {"tty", no_argument, NULL, 't'},
    {"interactive", no_argument, NULL, 'i'},
    {"follow", required_argument, NULL, 'f'},
    {"tracker", required_argument, NULL, 'k'},
    {"audit", no_argument, NULL, 'A'},
    {"slow-calls", no_argument, NULL, 'S'},
    {"platform", required_argument, NULL, 'p'},
    {"log-level", required_argument, NULL, 'l'},
    {"address", required_argument, NULL, 'a'},
    {"device", required_argument, NULL, 'D'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static void add_service(struct run_options *run, const char *text)
{
    if (run->service_count == OM_SERVICES_MAX)
        client_usage("run", "--address: at most %d of them", OM_SERVICES_MAX);
    if (!service_parse(text, "?", &run->services[run->service_count++]))
        client_usage("run", "--address %s: give it as 10.1.0.5/24 or fd00::5/64", text);
}

static void apply(struct run_options *run, int option)
{
    switch (option) {
    case 'n':
        if (!units_valid_name(optarg))
            client_usage("run", "--name %s: 1 to 63 of A-Z a-z 0-9 . _ -, and not first . or -",
                         optarg);
        run->name = optarg;
        break;
    case 'd':
        run->detach = true;
        break;
    case 't':
        run->terminal = true;
        break;
    case 'i': /* standard input is always open; -it is what people type */
        break;
    case 'f':
        attach_add_follow(&run->follow, "run", optarg);
        break;
    case 'k':
        if (tracker_parse(optarg) < 0)
            client_usage("run", "--tracker %s: there are kernel, mprotect and barrier", optarg);
        run->tracker = optarg;
        break;
    case 'A':
        run->audit = true;
        break;
    case 'S':
        run->slow_calls = true;
        break;
    case 'p':
        if (strcmp(optarg, "sim"))
            client_usage("run",
                         "--platform %s: who vouches for enclaves is chosen at optmigd "
                         "(--platform tsm)",
                         optarg);
        break;
    case 'l':
        if (log_level_parse(optarg) < 0)
            client_usage("run", "--log-level %s: error, warn, info or debug", optarg);
        run->log_level = optarg;
        break;
    case 'a':
        add_service(run, optarg);
        break;
    case 'D':
        if (!*optarg || strlen(optarg) >= OM_DEVICE_MAX)
            client_usage("run", "--device %s: not the name of a network interface", optarg);
        run->device = optarg;
        break;
    default: /* arguments_next gives no others. */
        break;
    }
}

static void complete_services(struct run_options *run)
{
    if (!run->service_count != !run->device)
        client_usage("run", "--address and --device belong together: which address is to be on "
                            "which network interface?");
    for (uint32_t i = 0; i < run->service_count; i++)
        strcpy(run->services[i].device, run->device);
}

/* Ends as a shell does when the program cannot be run. */
static void find_program(struct run_options *run, const char *name)
{
    int error = locate_program(name, run->path, sizeof(run->path));

    if (!error)
        return;
    if (error == -ENOENT && !strchr(name, '/'))
        fprintf(stderr, "optmig run: %s: command not found\n", name);
    else
        fprintf(stderr, "optmig run: %s: %s\n", name, strerror(-error));
    exit(error == -ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* For a script that begins with "#!/usr/bin/env NAME": NAME in its place, with the script as its
 * first argument.  argv lives until exec or exit. */
static void run_script(struct run_options *run, const char *name)
{
    size_t count = 0;
    char **argv;

    while (run->argv[count])
        count++;
    argv = calloc(count + 2, sizeof(*argv));
    if (!argv)
        abort();
    argv[0] = strdup(name);
    argv[1] = strdup(strchr(run->argv[0], '/') ? run->argv[0] : run->path);
    memcpy(argv + 2, run->argv + 1, (count - 1) * sizeof(*argv));
    run->argv = argv;
    find_program(run, name);
}

/* env would exec NAME, which is not possible in an enclave: so it is done before.  NAME may be such
 * a script too. */
static void follow_env(struct run_options *run)
{
    char name[NAME_MAX + 1];

    for (int level = 0; level < ENV_LEVELS_MAX; level++) {
        if (!locate_env_script(run->path, name, sizeof(name)))
            return;
        run_script(run, name);
    }
}

static json_t *strings_to_json(char *const *strings)
{
    json_t *array = json_array();

    for (; *strings; strings++)
        json_array_append_new(array, units_bytes_to_json(*strings));
    return array;
}

static json_t *services_to_json(const struct run_options *run)
{
    json_t *array = json_array();
    char text[SERVICE_TEXT_MAX];

    for (uint32_t i = 0; i < run->service_count; i++) {
        service_format(&run->services[i], text, sizeof(text));
        json_array_append_new(array,
                              json_pack("{s:s, s:s}", "address", text, "device", run->device));
    }
    return array;
}

static json_t *make_request(const struct run_options *run, const struct common_options *common,
                            const char *type)
{
    json_t *request = json_pack("{s:s, s:o, s:o}", "request", type, "argv",
                                strings_to_json(run->argv), "path", units_bytes_to_json(run->path));

    if (run->name)
        json_object_set_new(request, "name", json_string(run->name));
    if (run->tracker)
        json_object_set_new(request, "tracker", json_string(run->tracker));
    if (run->audit)
        json_object_set_new(request, "audit", json_true());
    if (run->slow_calls)
        json_object_set_new(request, "slow_calls", json_true());
    if (run->log_level)
        json_object_set_new(request, "log_level", json_string(run->log_level));
    if (run->terminal)
        json_object_set_new(request, "terminal", json_true());
    if (common->quiet)
        json_object_set_new(request, "quiet", json_true());
    if (run->service_count)
        json_object_set_new(request, "services", services_to_json(run));
    return request;
}

/* At every start, on the terminal of whoever relies on it; standard output stays the program's own.
 */
static void warn_of_isolation(const struct common_options *common, const json_t *reply)
{
    const char *platform = line_text(reply, "platform", "sim");

    if (!common->quiet)
        fprintf(stderr, "optmig run: platform %s: %s\n", platform,
                units_isolation_warning(platform));
}

static int run_detached(const struct run_options *run, const struct common_options *common)
{
    json_t *request = make_request(run, common, "run"), *reply;
    char cwd[PATH_MAX];
    mode_t mask = umask(0);
    int status = EXIT_REFUSED;

    umask(mask);
    if (!getcwd(cwd, sizeof(cwd))) {
        fprintf(stderr, "optmig run: the working directory: %s\n", strerror(errno));
        json_decref(request);
        return EXIT_REFUSED;
    }
    json_object_set_new(request, "env", strings_to_json(environ));
    json_object_set_new(request, "cwd", units_bytes_to_json(cwd));
    json_object_set_new(request, "umask", json_integer((json_int_t)mask));
    reply = client_ask(common, request);
    if (!line_flag(reply, "ok"))
        client_print_error("run", reply);
    else
        status = EXIT_OK;
    if (status == EXIT_OK)
        warn_of_isolation(common, reply);
    if (status == EXIT_OK && !run->detach) {
        status = attach(common, line_text(reply, "name", ""), true, &run->follow);
        json_decref(reply);
        return status;
    }
    if (common->json)
        client_print_json(reply);
    else if (status == EXIT_OK)
        puts(line_text(reply, "name", ""));
    json_decref(reply);
    return status;
}

/* Says once that the program will run but cannot be moved. */
static void note_without_daemon(const struct common_options *common, const char *reason)
{
    if (!common->quiet)
        fprintf(stderr, "optmig run: it will run, but it cannot be moved: %s\n", reason);
}

/* The reply that makes this process an enclave of the daemon, or NULL: there is no daemon, run
 * without. */
static json_t *register_here(const struct run_options *run, const struct common_options *common,
                             struct client *client)
{
    char reason[512];
    json_t *reply;
    int error = client_connect(client, common->host, reason, sizeof(reason));

    if (!error) {
        error = client_send(client, make_request(run, common, "register"));
        reply = error ? NULL : client_receive(client, &error);
        if (reply)
            return reply;
        snprintf(reason, sizeof(reason), "the daemon at %s did not answer: %s", common->host,
                 strerror(-error));
        client_close(client);
    }
    note_without_daemon(common, reason);
    return NULL;
}

static char *service_argument(const struct om_service *service)
{
    char text[SERVICE_TEXT_MAX], *argument;

    service_format(service, text, sizeof(text));
    if (asprintf(&argument, "%s@%s", text, service->device) < 0)
        abort();
    return argument;
}

static _Noreturn void become_host(const struct run_options *run,
                                  const struct common_options *common, const char *host_program,
                                  int control_fd, const char *name, const json_t *reply)
{
    size_t program_count = 0, count = 0;
    const char *key = line_text(reply, "key", NULL), *bundle = line_text(reply, "bundle", "");
    const char *receipts = line_text(reply, "receipts", NULL), *tsm = line_text(reply, "tsm", "");
    const char *registry = line_text(reply, "registry", "");
    char control[16];
    char **argv;

    while (run->argv[program_count])
        program_count++;
    argv = calloc(HOST_ARGUMENTS + program_count, sizeof(*argv));
    if (!argv)
        abort();
    argv[count++] = (char *)"optmig-host";
    arguments_put(argv, &count, "--name", name);
    if (control_fd >= 0) {
        fcntl(control_fd, F_SETFD, 0); /* The one descriptor that exec must keep. */
        snprintf(control, sizeof(control), "%d", control_fd);
        arguments_put(argv, &count, "--control-fd", control);
    }
    if (key)
        arguments_put(argv, &count, "--key", key);
    if (receipts)
        arguments_put(argv, &count, "--receipts", receipts);
    if (*bundle)
        arguments_put(argv, &count, "--bundle", bundle);
    if (*tsm)
        arguments_put(argv, &count, "--tsm", tsm);
    if (*registry)
        arguments_put(argv, &count, "--registry", registry);
    if (run->tracker)
        arguments_put(argv, &count, "--tracker", run->tracker);
    if (run->audit)
        argv[count++] = (char *)"--audit";
    if (run->slow_calls)
        argv[count++] = (char *)"--slow-calls";
    if (run->log_level)
        arguments_put(argv, &count, "--log-level", run->log_level);
    if (common->quiet)
        argv[count++] = (char *)"--quiet";
    for (uint32_t i = 0; i < run->service_count; i++) {
        arguments_put(argv, &count, "--service", service_argument(&run->services[i]));
    }
    arguments_put(argv, &count, "--program", run->path);
    argv[count++] = (char *)"--";
    memcpy(argv + count, run->argv, program_count * sizeof(*argv));
    execv(host_program, argv);
    fprintf(stderr, "optmig run: %s: %s\n", host_program, strerror(errno));
    exit(NOT_EXECUTABLE);
}

static int run_here(const struct run_options *run, const struct common_options *common)
{
    char host_program[PATH_MAX], name[64];
    struct client client = {.fd = -1};
    json_t *reply;

    if (!locate_host_program(host_program, sizeof(host_program))) {
        fprintf(stderr,
                "optmig run: %s: cannot be executed; it is built and installed together "
                "with optmig, or named by OPTMIG_HOST_PROGRAM\n",
                host_program);
        return NOT_EXECUTABLE;
    }
    reply = register_here(run, common, &client);
    if (!reply && run->service_count) {
        fprintf(stderr, "optmig run: --address needs a daemon, which removes the address when the "
                        "program has ended\n");
        return EXIT_REFUSED;
    }
    if (reply && !line_flag(reply, "ok")) {
        client_print_error("run", reply);
        json_decref(reply);
        client_close(&client);
        return EXIT_REFUSED;
    }
    units_name_of_program(run->argv[0], name, sizeof(name));
    warn_of_isolation(common, reply);
    become_host(run, common, host_program, client.fd,
                line_text(reply, "name", run->name ? run->name : name), reply);
}

int command_run(struct common_options *common, int argc, char **argv)
{
    struct run_options run = {0};
    int option;

    while ((option = arguments_next("optmig run", argc, argv, "+:dit", g_options)) != -1)
        if (!client_common_option(common, "run", option))
            apply(&run, option);
    complete_services(&run);
    if (run.follow.count && (run.detach || !run.terminal))
        client_usage("run", "--follow is for -t, without --detach");
    run.argv = argv + optind;
    if (!run.argv[0])
        client_usage("run", "which program?");
    if (run.audit && (!run.tracker || tracker_parse(run.tracker) != OM_TRACKER_BARRIER))
        client_usage("run", "--audit watches the barrier tracker: it needs --tracker barrier");
    find_program(&run, run.argv[0]);
    follow_env(&run);
    return run.detach || run.terminal ? run_detached(&run, common) : run_here(&run, common);
}
