/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optmig attach, and optmig run -t: this terminal becomes that of a program, wherever it runs. Keys
 * go to the program as they are (this terminal is in raw mode: Ctrl-C is the program's), but for
 * Ctrl-P Ctrl-Q, which detaches.  When the program moves, the daemons named by --follow are asked
 * for it; without, the user is told where it has gone.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/attach.h"
#include "cli/client.h"
#include "cli/units.h"

enum {
    CTRL_P = 'P' & 0x1f,
    CTRL_Q = 'Q' & 0x1f,
    CHUNK_bytes = 4096,
    RESENT_bytes = 64 << 10, /* more than can be on the way to a daemon that reads no more */
    SIGNALLED = 128,         /* as a shell has it */
    SEARCH_STEP_ms = 50,
    SEARCH_STEPS = 200,
};

enum outcome { ATTACHED, DETACHED, ENDED, MOVED, BROKEN };

struct attachment {
    const char *name;
    const struct attach_follow *follow;
    struct client client;
    int signals, status;
    bool input, escape;             /* standard input is still open; Ctrl-P was typed */
    char to[256];                   /* where it has moved to */
    json_t *unread;                 /* typed at the source, for the destination */
    uint64_t typed_bytes, received; /* of those, the daemon has had so many */
    char typed[RESENT_bytes];       /* the last ones */
};

static struct termios g_modes;
static bool g_raw;

static void restore_terminal(void)
{
    if (g_raw)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &g_modes);
    g_raw = false;
}

static void make_raw(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &g_modes))
        return;
    raw = g_modes;
    cfmakeraw(&raw);
    g_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

/* Signals that would end this command come through a descriptor, so that the terminal is restored
 * whatever happens. */
static int take_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void write_all(const char *bytes, size_t length)
{
    while (length) {
        ssize_t put = write(STDOUT_FILENO, bytes, length);

        if (put < 0 && errno != EINTR)
            return;
        bytes += put > 0 ? put : 0;
        length -= put > 0 ? (size_t)put : 0;
    }
}

static void show(const json_t *data)
{
    size_t length;
    char *bytes = units_any_bytes_from_json(data, &length);

    if (bytes)
        write_all(bytes, length);
    free(bytes);
}

static void send_size(struct attachment *at)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row)
        client_send(&at->client,
                    json_pack("{s:i, s:i}", "rows", (int)size.ws_row, "columns", (int)size.ws_col));
}

/* ---- what comes ---- */

static enum outcome on_event(struct attachment *at, const json_t *event)
{
    const char *kind = line_text(event, "event", "");

    if (!strcmp(kind, "output"))
        show(json_object_get(event, "data"));
    else if (!strcmp(kind, "moved")) {
        snprintf(at->to, sizeof(at->to), "%s", line_text(event, "to", "?"));
        json_decref(at->unread);
        at->unread = json_incref(json_object_get(event, "unread"));
        at->received = (uint64_t)line_number(event, "received", 0);
        return MOVED;
    } else if (!strcmp(kind, "ended")) {
        at->status = json_object_get(event, "signal")
                         ? SIGNALLED + (int)line_number(event, "signal", 0)
                         : (int)line_number(event, "exit_status", EXIT_REFUSED);
        return ENDED;
    } else if (!strcmp(kind, "lost")) {
        at->status = EXIT_LOST;
        return ENDED;
    }
    return ATTACHED;
}

/* Without waiting: all lines that are here. */
static enum outcome on_daemon(struct attachment *at)
{
    enum outcome outcome = ATTACHED;
    char reason[256], *line;
    size_t length;
    long got = line_fill(&at->client.reader, at->client.fd);

    while (outcome == ATTACHED && (line = line_next(&at->client.reader, &length)) != NULL) {
        json_t *event = line_parse(line, length, reason, sizeof(reason));

        outcome = on_event(at, event);
        json_decref(event);
    }
    if (outcome != ATTACHED || got > 0 || got == -EAGAIN)
        return outcome;
    return BROKEN;
}

/* If that fails the daemon has closed, which the next read tells. */
static void send_keys(struct attachment *at, const char *keys, size_t count)
{
    if (!count)
        return;
    memmove(at->typed, at->typed + count, RESENT_bytes - count);
    memcpy(at->typed + RESENT_bytes - count, keys, count);
    at->typed_bytes += count;
    client_send(&at->client, json_pack("{s:o}", "input", units_any_bytes_to_json(keys, count)));
}

/* Ctrl-P Ctrl-Q detaches; a Ctrl-P with something else behind it is two keys for the program. */
static enum outcome on_keys(struct attachment *at)
{
    char typed[CHUNK_bytes], keys[CHUNK_bytes + 1];
    ssize_t got = read(STDIN_FILENO, typed, sizeof(typed));
    size_t count = 0;

    if (got <= 0) {
        at->input = got < 0 && errno == EINTR;
        return ATTACHED;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (at->escape && typed[i] == CTRL_Q)
            return DETACHED;
        if (at->escape)
            keys[count++] = CTRL_P;
        at->escape = g_raw && typed[i] == CTRL_P;
        if (!at->escape)
            keys[count++] = typed[i];
    }
    send_keys(at, keys, count);
    return ATTACHED;
}

static enum outcome on_signal(struct attachment *at)
{
    struct signalfd_siginfo info;

    if (read(at->signals, &info, sizeof(info)) != sizeof(info))
        return ATTACHED;
    if (info.ssi_signo != SIGWINCH) {
        at->status = SIGNALLED + (int)info.ssi_signo;
        return DETACHED;
    }
    send_size(at);
    return ATTACHED;
}

static enum outcome serve(struct attachment *at)
{
    enum outcome outcome = ATTACHED;

    while (outcome == ATTACHED) {
        struct pollfd wait[] = {{.fd = at->client.fd, .events = POLLIN},
                                {.fd = at->signals, .events = POLLIN},
                                {.fd = at->input ? STDIN_FILENO : -1, .events = POLLIN}};

        if (poll(wait, 3, -1) < 0 && errno != EINTR)
            return BROKEN;
        if (wait[0].revents)
            outcome = on_daemon(at);
        if (outcome == ATTACHED && wait[1].revents)
            outcome = on_signal(at);
        if (outcome == ATTACHED && wait[2].revents)
            outcome = on_keys(at);
    }
    return outcome;
}

/* ---- attaching ---- */

/* What has not reached the program where it was: what its daemon has given back, and what was sent
 * when the daemon read no more. */
static void type_again(struct attachment *at)
{
    uint64_t missing = at->typed_bytes - at->received;
    size_t length = 0;
    char *unread = at->unread ? units_any_bytes_from_json(at->unread, &length) : NULL;
    char last[RESENT_bytes];

    if (missing > RESENT_bytes)
        missing = 0;
    memcpy(last, at->typed + RESENT_bytes - missing, (size_t)missing);
    at->typed_bytes = at->received = 0;
    send_keys(at, unread, length < RESENT_bytes ? length : RESENT_bytes);
    send_keys(at, last, (size_t)missing);
    free(unread);
    json_decref(at->unread);
    at->unread = NULL;
}

/* True, or the reply says why not, or there is no daemon: a reason. */
static bool begin(struct attachment *at, const char *host, bool started, json_t **out_reply)
{
    char reason[512];
    int error = client_connect(&at->client, host, reason, sizeof(reason));
    json_t *reply = NULL;

    if (!error) {
        error = client_send(&at->client,
                            json_pack("{s:s, s:o, s:b}", "request", "attach", "name",
                                      units_bytes_to_json(at->name), "started", (int)started));
        reply = error ? NULL : client_receive(&at->client, &error);
        if (!reply)
            snprintf(reason, sizeof(reason), "the daemon did not answer: %s", strerror(-error));
    }
    *out_reply = reply ? reply : client_error(reason);
    if (!line_flag(*out_reply, "ok")) {
        client_close(&at->client);
        return false;
    }
    show(json_object_get(*out_reply, "data"));
    send_size(at);
    type_again(at);
    return true;
}

/* The source may tell that it has gone a moment before the destination has it. */
static bool find_again(struct attachment *at)
{
    json_t *reply;

    for (int step = 0; step < SEARCH_STEPS && at->follow->count; step++) {
        for (unsigned i = 0; i < at->follow->count; i++) {
            bool found = begin(at, at->follow->hosts[i], false, &reply);

            json_decref(reply);
            if (found)
                return true;
        }
        poll(NULL, 0, SEARCH_STEP_ms);
    }
    return false;
}

static int end(struct attachment *at, enum outcome outcome, bool quiet)
{
    restore_terminal();
    json_decref(at->unread);
    if (outcome == DETACHED && !quiet)
        fprintf(stderr, "\noptmig: detached; %s runs on: optmig attach %s\n", at->name, at->name);
    else if (outcome == MOVED)
        fprintf(stderr,
                "\noptmig: %s has moved to %s and runs on there: optmig --host STATE attach %s, "
                "with the state directory of that daemon; or attach with --follow STATE\n",
                at->name, at->to, at->name);
    else if (outcome == BROKEN)
        fprintf(stderr, "\noptmig: the daemon has ended or closed the connection\n");
    return outcome == BROKEN ? EXIT_REFUSED : at->status;
}

int attach(const struct common_options *common, const char *name, bool started,
           const struct attach_follow *follow)
{
    struct attachment at = {.name = name,
                            .follow = follow,
                            .client = {.fd = -1},
                            .signals = take_signals(),
                            .input = true};
    enum outcome outcome = ATTACHED;
    json_t *reply;

    if (!begin(&at, common->host, started, &reply)) {
        client_print_error("attach", reply);
        json_decref(reply);
        return EXIT_REFUSED;
    }
    json_decref(reply);
    make_raw();
    while (outcome == ATTACHED) {
        outcome = serve(&at);
        client_close(&at.client);
        if (outcome == MOVED && find_again(&at))
            outcome = ATTACHED;
    }
    return end(&at, outcome, common->quiet);
}

void attach_add_follow(struct attach_follow *follow, const char *command, const char *host)
{
    if (follow->count == ATTACH_FOLLOW_MAX)
        client_usage(command, "--follow: at most %d of them", ATTACH_FOLLOW_MAX);
    follow->hosts[follow->count++] = host;
}

static const struct option g_options[] = {
    {"follow", required_argument, NULL, 'f'},
    CLIENT_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

int command_attach(struct common_options *common, int argc, char **argv)
{
    struct attach_follow follow = {0};
    int option;

    while ((option = arguments_next("optmig attach", argc, argv, ":f:", g_options)) != -1) {
        if (option == 'f')
            attach_add_follow(&follow, "attach", optarg);
        else
            client_common_option(common, "attach", option);
    }
    if (argc - optind != 1)
        client_usage("attach", argc == optind ? "which enclave?" : "one enclave at a time");
    return attach(common, argv[optind], false, &follow);
}
