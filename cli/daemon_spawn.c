/* SPDX-License-Identifier: Apache-2.0 */
/* Starts host processes: for optmig run --detach, and for enclaves that are moved here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/daemon.h"
#include "host/report.h"

enum { HOST_ARGUMENTS = 36 + 2 * OM_SERVICES_MAX, CONTROL_FD = 3 };

struct process {
    uv_process_t process; /* first: libuv gives it back */
    struct enclave *enclave;
};

static void free_process(uv_handle_t *handle)
{
    free(handle);
}

void process_forget(struct process **process)
{
    if (*process) {
        (*process)->enclave = NULL;
        uv_close((uv_handle_t *)&(*process)->process, free_process);
    }
    *process = NULL;
}

static void on_exit_of_process(uv_process_t *handle, int64_t status, int signal)
{
    struct enclave *enclave = ((struct process *)handle)->enclave;

    if (!enclave)
        return;
    if (signal)
        enclave->exit_signal = signal;
    else
        enclave->exit_status = (int)status;
    process_forget(&enclave->process);
    enclave_check_ended(enclave);
}

/* A program that starts has a new log; one that comes back writes on behind what it wrote here
 * before. */
static int open_log(struct enclave *enclave, bool anew)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (anew ? O_TRUNC : 0);

    free(enclave->log_path);
    if (asprintf(&enclave->log_path, "%s/%s.log", enclave->daemon->log_dir, enclave->name) < 0)
        abort();
    return open(enclave->log_path, flags, 0600);
}

static char **make_arguments(const struct enclave *enclave, const struct spawn *spawn,
                             char umask_text[16])
{
    const struct daemon *daemon = enclave->daemon;
    size_t program_count = 0, count = 0;
    char **args;

    while (spawn->argv && spawn->argv[program_count])
        program_count++;
    args = calloc(HOST_ARGUMENTS + program_count, sizeof(*args));
    if (!args)
        abort();
    args[count++] = (char *)"optmig-host";
    arguments_put(args, &count, "--name", enclave->name);
    arguments_put(args, &count, "--control-fd", "3");
    arguments_put(args, &count, "--key", daemon->key_path);
    arguments_put(args, &count, "--receipts", daemon->receipt_dir);
    if (daemon->options.policy)
        arguments_put(args, &count, "--bundle", daemon->bundle_path);
    if (daemon->options.tsm)
        arguments_put(args, &count, "--tsm", daemon->options.tsm);
    if (daemon->options.registry)
        arguments_put(args, &count, "--registry", daemon->options.registry);
    arguments_put(
        args, &count, "--log-level",
        (spawn->log_level ? spawn->log_level : log_level_name(daemon->options.log_level)));
    args[count++] = (char *)"--logged";
    if (enclave->wants_terminal)
        args[count++] = (char *)"--terminal";
    if (enclave->quiet)
        args[count++] = (char *)"--quiet";
    if (spawn->umask >= 0) {
        snprintf(umask_text, 16, "%o", (unsigned)spawn->umask & 0777);
        arguments_put(args, &count, "--umask", umask_text);
    }
    if (daemon->options.device && !spawn->path)
        arguments_put(args, &count, "--device", daemon->options.device);
    for (size_t i = 0; spawn->services && spawn->services[i]; i++) {
        arguments_put(args, &count, "--service", spawn->services[i]);
    }
    if (!spawn->path) {
        args[count++] = (char *)"--receive";
        return args;
    }
    if (enclave->tracker != OM_TRACKER_KERNEL)
        arguments_put(args, &count, "--tracker", tracker_name((int)enclave->tracker));
    if (enclave->audit)
        args[count++] = (char *)"--audit";
    if (enclave->slow_calls)
        args[count++] = (char *)"--slow-calls";
    arguments_put(args, &count, "--program", spawn->path);
    args[count++] = (char *)"--";
    memcpy(args + count, spawn->argv, program_count * sizeof(*args));
    return args;
}

static int spawn_process(struct enclave *enclave, const struct spawn *spawn, int null_fd,
                         int log_fd, int control_fd)
{
    char umask_text[16];
    uv_stdio_container_t stdio[CONTROL_FD + 1] = {
        {.flags = UV_INHERIT_FD, .data.fd = null_fd},
        {.flags = UV_INHERIT_FD, .data.fd = log_fd},
        {.flags = UV_INHERIT_FD, .data.fd = log_fd},
        {.flags = UV_INHERIT_FD, .data.fd = control_fd},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_of_process,
        .file = enclave->daemon->host_program,
        .args = make_arguments(enclave, spawn, umask_text),
        .env = spawn->envp,
        .cwd = spawn->cwd,
        .flags =
            UV_PROCESS_DETACHED, /* A session of its own: no Ctrl-C of the daemon's terminal. */
        .stdio_count = CONTROL_FD + 1,
        .stdio = stdio,
    };
    struct process *process = calloc(1, sizeof(*process));
    int error;

    if (!process)
        abort();
    process->enclave = enclave;
    enclave->process = process;
    error = uv_spawn(&enclave->daemon->loop, &process->process, &options);
    free(options.args);
    if (error)
        process_forget(&enclave->process);
    else
        enclave_set_pid(enclave, process->process.pid);
    return error;
}

bool enclave_spawn(struct enclave *enclave, const struct spawn *spawn, char *reason,
                   size_t reason_size)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log_fd = open_log(enclave, spawn->path != NULL);
    int pair[2] = {-1, -1};
    int error = 0;

    if (log_fd < 0) {
        snprintf(reason, reason_size, "%s: %s", enclave->log_path, strerror(errno));
    } else if (null_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        snprintf(reason, reason_size, "no descriptors for the host process: %s", strerror(errno));
    } else if ((error = spawn_process(enclave, spawn, null_fd, log_fd, pair[1])) != 0) {
        snprintf(reason, reason_size, "%s%s%s: %s", enclave->daemon->host_program,
                 spawn->cwd ? " in " : "", spawn->cwd ? spawn->cwd : "", uv_strerror(error));
        close(pair[0]);
    } else {
        enclave->link = conn_open(&enclave->daemon->loop, pair[0], &link_calls, enclave);
    }
    if (pair[1] >= 0)
        close(pair[1]);
    if (null_fd >= 0)
        close(null_fd);
    if (log_fd >= 0)
        close(log_fd);
    return enclave->link != NULL;
}
