/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig logs: what an enclave without a terminal has written.  The daemon names the file; with
 * --follow its connection stays open and tells when the enclave has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/units.h"

enum { CHUNK_bytes = 65536, TEXT_LINE_bytes = 65536 };

struct log {
    const char *name;
    bool json;
    int fd;
    char *line; /* --json: the line that is not complete yet */
    size_t length;
};

static const struct option g_options[] = {
    {"follow", no_argument, NULL, 'f'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static void print_line(struct log *log)
{
    char printable[TEXT_LINE_bytes];
    json_t *object;

    log->line[log->length] = 0;
    object = json_pack("{s:s, s:s}", "name", log->name, "line",
                       units_printable(log->line, printable, sizeof(printable)));
    client_print_json(object);
    json_decref(object);
    log->length = 0;
}

static void print_bytes(struct log *log, const char *bytes, size_t length)
{
    if (!log->json) {
        fwrite(bytes, 1, length, stdout);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n')
            log->line[log->length++] = bytes[i] ? bytes[i] : '?';
        if (bytes[i] == '\n' || log->length + 1 == TEXT_LINE_bytes)
            print_line(log);
    }
}

/* Prints what is there.  False on an error of reading or writing. */
static bool print_rest(struct log *log)
{
    static char chunk[CHUNK_bytes];
    ssize_t got;

    while ((got = read(log->fd, chunk, sizeof(chunk))) > 0)
        print_bytes(log, chunk, (size_t)got);
    return got == 0 && fflush(stdout) == 0;
}

/* Until the enclave has ended, which the daemon tells, or the daemon has. */
static int follow(struct log *log, struct client *client, const char *path)
{
    char changes[4096];
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd wait[2] = {{.fd = watch, .events = POLLIN}, {.fd = client->fd, .events = POLLIN}};
    size_t length;
    bool ended = line_next(&client->reader, &length) != NULL; /* It came right behind the reply. */

    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0) {
        fprintf(stderr, "optmig logs: %s cannot be watched: %s\n", path, strerror(errno));
        close(watch);
        return EXIT_REFUSED;
    }
    for (;;) {
        if (!print_rest(log))
            break;
        if (ended)
            break;
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            break;
        while (read(watch, changes, sizeof(changes)) > 0)
            ;
        ended = wait[1].revents != 0;
    }
    close(watch);
    return EXIT_OK;
}

static json_t *open_log(struct common_options *common, struct client *client, const char *name,
                        bool follows)
{
    char reason[512];
    json_t *reply = NULL;
    int error = client_connect(client, common->host, reason, sizeof(reason));

    if (!error) {
        error = client_send(client, json_pack("{s:s, s:o, s:b}", "request", "logs", "name",
                                              units_bytes_to_json(name), "follow", follows));
        reply = error ? NULL : client_receive(client, &error);
        if (!reply)
            snprintf(reason, sizeof(reason), "the daemon did not answer: %s", strerror(-error));
    }
    if (!reply)
        reply = client_error(reason);
    if (line_flag(reply, "ok"))
        return reply;
    client_print_error("logs", reply);
    if (common->json)
        client_print_json(reply);
    json_decref(reply);
    client_close(client);
    return NULL;
}

int command_logs(struct common_options *common, int argc, char **argv)
{
    struct log log = {0};
    struct client client;
    bool follows = false;
    json_t *reply;
    int option, status = EXIT_OK;

    while ((option = arguments_next("optmig logs", argc, argv, ":f", g_options)) != -1) {
        if (option == 'f')
            follows = true;
        else
            client_common_option(common, "logs", option);
    }
    if (argc - optind != 1)
        client_usage("logs", argc == optind ? "which enclave?" : "one enclave at a time");
    log.name = argv[optind];
    log.json = common->json;
    reply = open_log(common, &client, log.name, follows);
    if (!reply)
        return EXIT_REFUSED;
    log.line = malloc(TEXT_LINE_bytes);
    log.fd = open(line_text(reply, "path", ""), O_RDONLY | O_CLOEXEC);
    if (log.fd < 0 || !log.line) {
        fprintf(stderr, "optmig logs: %s: %s\n", line_text(reply, "path", ""), strerror(errno));
        status = EXIT_REFUSED;
    } else if (follows) {
        status = follow(&log, &client, line_text(reply, "path", ""));
    } else if (!print_rest(&log)) {
        status = EXIT_REFUSED;
    }
    if (log.length)
        print_line(&log);
    if (log.fd >= 0)
        close(log.fd);
    free(log.line);
    json_decref(reply);
    client_close(&client);
    return status;
}
