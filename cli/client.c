/* SPDX-License-Identifier: Apache-2.0 */
/* See client.h. */
#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/locate.h"
#include "cli/units.h"

/* A socket that never takes the place of stdin, stdout or stderr if one of those is closed. */
static int make_socket(void)
{
    int low = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    if (low < 0 || low > STDERR_FILENO)
        return low;
    fd = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(low);
    return fd;
}

int client_connect(struct client *out_client, const char *dir, char *reason, size_t reason_size)
{
    struct sockaddr_un address;
    int error = 0;

    *out_client = (struct client){.fd = -1};
    if (!locate_control_socket(dir, &address)) {
        snprintf(reason, reason_size, "%s: too long for the path of a socket", dir);
        return -ENAMETOOLONG;
    }
    snprintf(out_client->dir, sizeof(out_client->dir), "%s", dir);
    out_client->fd = make_socket();
    if (out_client->fd < 0 || connect(out_client->fd, (struct sockaddr *)&address, sizeof(address)))
        error = -errno;
    if (!error)
        return 0;
    client_close(out_client);
    if (error == -EACCES || error == -EPERM)
        snprintf(reason, reason_size, "%s: %s; only root and the user who runs optmigd may", dir,
                 strerror(-error));
    else
        snprintf(reason, reason_size,
                 "no daemon at %s (%s); start one: 'optmigd --state %s --listen ADDR:PORT', "
                 "or name another with --host or OPTMIG_HOST",
                 dir, strerror(-error), dir);
    return error;
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    line_reader_free(&client->reader);
    client->fd = -1;
}

int client_send(struct client *client, json_t *request)
{
    struct line_writer writer = {0};
    int error = line_append(&writer, request);

    if (!error)
        error = line_flush(&writer, client->fd);
    line_writer_free(&writer);
    return error;
}

json_t *client_receive(struct client *client, int *out_error)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    char reason[256];
    size_t length;
    char *line;
    json_t *object;

    for (;;) {
        long got;

        line = line_next(&client->reader, &length);
        if (line)
            break;
        if (poll(&wait, 1, -1) < 0) { /* line_fill would wait on, whatever the signal. */
            *out_error = -errno;
            return NULL;
        }
        got = line_fill(&client->reader, client->fd);
        if (got <= 0) {
            *out_error = got ? (int)got : -ECONNRESET;
            return NULL;
        }
    }
    object = line_parse(line, length, reason, sizeof(reason));
    *out_error = object ? 0 : -EBADMSG;
    return object;
}

json_t *client_error(const char *error)
{
    char printable[1024];

    return json_pack("{s:b, s:s}", "ok", 0, "error",
                     units_printable(error, printable, sizeof(printable)));
}

json_t *client_ask(const struct common_options *options, json_t *request)
{
    struct client client;
    char reason[1024];
    json_t *reply = NULL;
    int error = client_connect(&client, options->host, reason, sizeof(reason));

    if (error) {
        json_decref(request);
        return client_error(reason);
    }
    error = client_send(&client, request);
    while (!error || error == -EINTR) {
        reply = client_receive(&client, &error);
        if (reply)
            break;
    }
    client_close(&client);
    if (reply)
        return reply;
    if (error == -EMSGSIZE)
        return client_error("too large for the daemon: arguments and environment may have 1 MiB");
    snprintf(reason, sizeof(reason), "the daemon at %s did not answer: %s", options->host,
             strerror(-error));
    return client_error(reason);
}

void client_print_error(const char *command, const json_t *reply)
{
    char text[1024], hint[1024];

    fprintf(stderr, "optmig %s: %s\n", command,
            units_printable(line_text(reply, "error", "failed, and the daemon does not say why"),
                            text, sizeof(text)));
    if (json_object_get(reply, "hint"))
        fprintf(stderr, "  %s\n",
                units_printable(line_text(reply, "hint", ""), hint, sizeof(hint)));
}

void client_print_json(const json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
    putchar('\n');
}

bool client_common_option(struct common_options *options, const char *command, int option)
{
    switch (option) {
    case OPTION_HOST:
        options->host = optarg;
        return true;
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_QUIET:
        options->quiet = true;
        return true;
    case OPTION_HELP:
        help_print(command);
        exit(EXIT_OK);
    default:
        return false;
    }
}

void client_usage(const char *command, const char *format, ...)
{
    char text[512], printable[512];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    fprintf(stderr, "optmig %s: %s\n  see 'optmig %s --help'\n", command,
            units_printable(text, printable, sizeof(printable)), command);
    exit(EXIT_USAGE);
}
