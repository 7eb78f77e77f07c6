/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A move out, as the source's daemon sees it:
 *
 *   resolve -> connect two sockets -> hello lines -> OK on both -> sockets to the host process ->
 * its report
 *
 * Until the sockets are handed over nothing has happened to the program, and any failure is
 * "refused". After that the report of the enclave counts.  If the host process ends without one, or
 * says "lost", the destination's daemon is asked before the worst is said.
 *
 * When the connections break after the start token, the host process asks for others: the same
 * steps from connect on, again and again (resuming).  A failure is then no refusal but a reason to
 * try later; after --reconnect the operator has to say (in doubt).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/elf_file.h"
#include "cli/units.h"
#include "host/address.h"
#include "host/report.h"

enum { BUFFER_bytes = 4 << 20, KEEPALIVE_s = 10, KEEPALIVE_COUNT = 3 };

enum stage {
    STAGE_RESOLVE,
    STAGE_PAUSE, /* before it connects again */
    STAGE_CONNECT,
    STAGE_ANSWER,
    STAGE_HANDED,
    STAGE_LEAVING,
    STAGE_QUERY
};

struct stream {
    struct departure *departure;
    int fd;
    struct watch *watch;
    bool connected, accepted;
    struct exact_line answer;
};

struct resolve {
    uv_getaddrinfo_t request; /* first: libuv gives it back */
    struct departure *departure;
};

struct departure {
    struct enclave *enclave;
    enum stage stage;
    uint64_t session;
    enum om_mode mode;
    enum om_tracker tracker;
    bool audit;
    enum om_connections connections;
    bool check_only; /* find out what is in the way, and move nothing */
    uint64_t max_downtime_us, deadline_us;
    char to[ADDRESS_TEXT_MAX];
    struct resolve *resolve;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    socklen_t lengths[ADDRESSES_MAX];
    size_t address_count, address;
    struct stream streams[OM_STREAM_COUNT];
    struct timer *timer;
    json_t *report;
    struct query *query;
    bool unreported; /* the host process ended without a word */
    bool recovering; /* the operator wants the program back */
    bool resuming;   /* the host process waits for new connections */
    uint64_t severed_at,
        pause_ms;       /* uv_now of the first break, 0: whole; before the next attempt */
    char obstacle[256]; /* of the last attempt */
};

static void connect_streams(struct departure *departure);
static void start_timer(struct departure *departure, uint64_t ms);

const char *departure_phase(const struct enclave *enclave, const char **out_to)
{
    if (!enclave->departure)
        return NULL;
    *out_to = enclave->departure->to;
    if (enclave->departure->resuming)
        return "resume";
    return enclave->departure->stage < STAGE_HANDED ? "connect" : phase_name((int)enclave->phase);
}

static void close_streams(struct departure *departure)
{
    for (int i = 0; i < OM_STREAM_COUNT; i++) {
        struct stream *stream = &departure->streams[i];

        watch_stop(&stream->watch);
        if (stream->fd >= 0)
            close(stream->fd);
        *stream = (struct stream){.departure = departure, .fd = -1};
    }
}

void departure_free(struct departure *departure)
{
    departure->enclave->departure = NULL;
    if (departure->resolve) {
        departure->resolve->departure = NULL;
        uv_cancel((uv_req_t *)&departure->resolve->request);
    }
    close_streams(departure);
    timer_stop(&departure->timer);
    query_free(&departure->query);
    json_decref(departure->report);
    free(departure);
}

/* ---- The end ---- */

static json_t *complete_report(const struct departure *departure, json_t *report)
{
    char session[24];

    snprintf(session, sizeof(session), "%016llx", (unsigned long long)departure->session);
    json_object_set_new(report, "name", json_string(departure->enclave->name));
    json_object_set_new(report, "mode", json_string(mode_name((int)departure->mode)));
    json_object_set_new(report, "tracker", json_string(tracker_name((int)departure->tracker)));
    json_object_set_new(report, "platform", json_string(departure->enclave->daemon->platform));
    json_object_set_new(report, "from", json_string(departure->enclave->daemon->listen_address));
    json_object_set_new(report, "to", json_string(departure->to));
    json_object_set_new(report, "session", json_string(session));
    return report;
}

/* Tells everybody, with the report as it is now, and forgets the departure. */
static void finish(struct departure *departure)
{
    struct enclave *enclave = departure->enclave;
    json_t *report = complete_report(departure, json_incref(departure->report));
    const int result = result_parse(line_text(report, "result", "failed"));
    const char *reason = line_text(report, "reason", "");

    daemon_log(enclave->daemon,
               result == OM_RESULT_MOVED || departure->check_only ? OM_LOG_INFO : OM_LOG_WARN,
               "%s: %s %s: %s%s%s", enclave->name, departure->check_only ? "check for" : "move to",
               departure->to, line_text(report, "result", "?"), *reason ? ": " : "", reason);
    if (result == OM_RESULT_MOVED)
        snprintf(enclave->moved_to, sizeof(enclave->moved_to), "%s", departure->to);
    enclave->lost = result == OM_RESULT_LOST;
    if (result == OM_RESULT_FAILED &&
        phase_parse(line_text(report, "phase_reached", "none")) >= OM_PHASE_SWITCHOVER)
        departure_farewell(departure);
    json_decref(enclave->severed);
    enclave->severed = NULL;
    enclave->state =
        result == OM_RESULT_MOVED || result == OM_RESULT_LOST ? ENCLAVE_LEAVING : ENCLAVE_RUNNING;
    enclave->phase = OM_PHASE_NONE;
    if (!departure->check_only)
        enclave_add_move(enclave, report);
    departure_free(departure);
    requesters_settled(enclave, report);
    json_decref(report);
    daemon_enclave_settled(enclave);
    enclave_check_ended(enclave);
}

/* ---- A connection that broke ---- */

static void on_farewell(void *owner, enum query_answer answer)
{
    struct enclave *enclave = owner;

    (void)answer;
    query_free(&enclave->farewell);
}

static struct hello query_hello(const struct departure *departure)
{
    struct hello hello = {
        .session = departure->session, .stream = HELLO_QUERY, .mode = departure->mode};

    strcpy(hello.name, departure->enclave->name);
    return hello;
}

void departure_farewell(struct departure *departure)
{
    struct enclave *enclave = departure->enclave;
    struct hello hello = query_hello(departure);

    query_free(&enclave->farewell);
    enclave->farewell =
        query_begin(enclave->daemon, &departure->addresses[departure->address],
                    departure->lengths[departure->address], &hello, on_farewell, enclave);
}

/* Whoever waits for the report gets this one, and the move goes on if it can. */
static void report_doubt(struct departure *departure)
{
    struct enclave *enclave = departure->enclave;
    char reason[OM_REASON_MAX];
    json_t *report;

    snprintf(
        reason, sizeof(reason),
        "the start token was sent, then the connection broke: %s. The source cannot know whether "
        "the program runs at %s; 'optmig status %s' there says it. If it waits there, 'optmig "
        "migrate %s --resume' here goes on; if that host is gone, %s, and "
        "'optmig stop %s' ends what is left here",
        departure->obstacle, departure->to, enclave->name, enclave->name,
        enclave->daemon->options.registry
            ? "'optmig recover' here takes the program back unless it was started there"
            : "so is the program",
        enclave->name);
    report = complete_report(
        departure, report_without_move(OM_RESULT_IN_DOUBT, (enum om_phase)enclave->phase, reason));
    daemon_log(enclave->daemon, OM_LOG_ERROR, "%s: in doubt: %s", enclave->name, reason);
    if (enclave->severed)
        json_object_set_new(enclave->severed, "in_doubt", json_string(reason));
    requesters_settled(enclave, report);
    json_decref(report);
}

static void on_pause(void *owner)
{
    struct departure *departure = owner;
    struct daemon *daemon = departure->enclave->daemon;

    if (uv_now(&daemon->loop) - departure->severed_at > daemon->options.reconnect_ms) {
        report_doubt(departure);
        return;
    }
    start_timer(departure, CONNECT_TIMEOUT_ms);
    connect_streams(departure);
}

static void try_later(struct departure *departure, const char *obstacle)
{
    close_streams(departure);
    timer_stop(&departure->timer);
    units_printable(obstacle, departure->obstacle, sizeof(departure->obstacle));
    departure->stage = STAGE_PAUSE;
    departure->timer =
        timer_start(&departure->enclave->daemon->loop, departure->pause_ms, on_pause, departure);
    departure->pause_ms = departure->pause_ms * 2 < RECONNECT_PAUSE_MAX_ms ? departure->pause_ms * 2
                                                                           : RECONNECT_PAUSE_MAX_ms;
}

void departure_severed(struct enclave *enclave)
{
    struct departure *departure = enclave->departure;

    if (departure->stage != STAGE_HANDED)
        return;
    if (!departure->severed_at) {
        departure->severed_at = uv_now(&enclave->daemon->loop);
        departure->pause_ms = RECONNECT_FIRST_ms;
    }
    departure->resuming = true;
    try_later(departure, line_text(enclave->severed, "reason", ""));
    if (departure->recovering)
        report_doubt(departure); /* It could not be taken back, and this is why. */
    departure->recovering = false;
}

void departure_mended(struct enclave *enclave)
{
    if (enclave->departure)
        enclave->departure->severed_at = 0;
}

bool departure_resume(struct enclave *enclave)
{
    struct departure *departure = enclave->departure;

    if (!departure || !departure->resuming)
        return false;
    departure->severed_at = uv_now(&enclave->daemon->loop);
    departure->pause_ms = RECONNECT_FIRST_ms;
    if (enclave->severed)
        json_object_del(enclave->severed, "in_doubt");
    if (departure->stage == STAGE_PAUSE)
        try_later(departure, departure->obstacle);
    return true;
}

static void stop_resuming(struct departure *departure)
{
    if (!departure->resuming)
        return;
    timer_stop(&departure->timer);
    close_streams(departure);
    departure->resuming = false;
    departure->stage = STAGE_HANDED;
}

bool departure_recover(struct enclave *enclave)
{
    struct departure *departure = enclave->departure;

    if (!departure || !departure->resuming || !enclave->link)
        return false;
    stop_resuming(departure);
    departure->recovering = true;
    conn_send(enclave->link, json_pack("{s:s}", "order", "recover"));
    return true;
}

/* The destination's daemon says that nobody waits there: the host process draws its conclusion. */
static void nobody_waits(struct departure *departure)
{
    stop_resuming(departure);
    if (departure->enclave->link)
        conn_send(departure->enclave->link, json_pack("{s:s}", "order", "gone"));
}

/* ---- The end, continued ---- */

/* Before the sockets were handed over, or were again. */
__attribute__((format(printf, 2, 3))) static void refuse(struct departure *departure,
                                                         const char *format, ...)
{
    char reason[OM_REASON_MAX], printable[OM_REASON_MAX];
    va_list list;

    va_start(list, format);
    vsnprintf(reason, sizeof(reason), format, list);
    va_end(list);
    if (departure->resuming) {
        try_later(departure, reason);
        return;
    }
    departure->report = report_without_move(OM_RESULT_REFUSED, OM_PHASE_NONE,
                                            units_printable(reason, printable, sizeof(printable)));
    finish(departure);
}

static void on_timeout(void *owner)
{
    struct departure *departure = owner;

    if (departure->stage == STAGE_LEAVING)
        finish(departure);
    else if (departure->stage == STAGE_ANSWER)
        refuse(departure, "%s did not answer within %d s", departure->to, ANSWER_TIMEOUT_ms / 1000);
    else
        refuse(departure, "cannot reach %s within %d s; is optmigd running there?", departure->to,
               CONNECT_TIMEOUT_ms / 1000);
}

static void start_timer(struct departure *departure, uint64_t ms)
{
    timer_stop(&departure->timer);
    departure->timer = timer_start(&departure->enclave->daemon->loop, ms, on_timeout, departure);
}

static void on_query_answer(void *owner, enum query_answer answer)
{
    struct departure *departure = owner;
    json_t *report = departure->report;
    char reason[OM_REASON_MAX];

    if (answer == QUERY_COMPLETE) {
        json_object_set_new(report, "result", json_string("moved"));
        json_object_set_new(report, "reason",
                            json_string("the source ended before it had the receipt; the "
                                        "destination's daemon says that all has arrived"));
    } else if (answer == QUERY_NONE && departure->unreported &&
               departure->enclave->exit_status >= 0) {
        /* A host process ends with a status only by its program's doing, or after its report. */
        snprintf(reason, sizeof(reason),
                 "the program ended by itself during the move, with exit status %d",
                 departure->enclave->exit_status);
        json_object_set_new(report, "result", json_string("failed"));
        json_object_set_new(report, "reason", json_string(reason));
    } else {
        units_printable(line_text(report, "reason", ""), reason, sizeof(reason) - 80);
        strcat(reason, answer == QUERY_NONE
                           ? "; it does not run at the destination either"
                           : "; the destination does not say whether it runs there");
        json_object_set_new(report, "reason", json_string(reason));
    }
    finish(departure);
}

static void ask_destination(struct departure *departure)
{
    struct hello hello = query_hello(departure);

    timer_stop(&departure->timer);
    departure->stage = STAGE_QUERY;
    departure->query =
        query_begin(departure->enclave->daemon, &departure->addresses[departure->address],
                    departure->lengths[departure->address], &hello, on_query_answer, departure);
}

/* Where a poll may be missing, by name. */
static void name_slow_function(const struct enclave *enclave, json_t *report)
{
    const char *program = line_text(report, "slow_program", NULL);
    const uint64_t pc = (uint64_t)line_number(report, "slow_pc", 0);
    char function[128] = "";

    if (!json_object_get(report, "slow_thread"))
        return;
    if (program && elf_function_at(program, pc, function, sizeof(function)))
        json_object_set_new(report, "slow_function", json_string(function));
    daemon_log(enclave->daemon, OM_LOG_WARN,
               "%s: stopping took %.1f ms; thread %.0f was the last, and at 0x%llx%s%s when it was "
               "told",
               enclave->name, line_number(report, "stop_ms", 0),
               line_number(report, "slow_thread", 0), (unsigned long long)pc,
               *function ? " in " : "", function);
}

void departure_done(struct enclave *enclave, json_t *report)
{
    struct departure *departure = enclave->departure;
    const int result = result_parse(line_text(report, "result", "failed"));

    if (departure->stage != STAGE_HANDED && !departure->resuming)
        return;
    stop_resuming(departure);
    name_slow_function(enclave, report);
    departure->report = json_incref(report);
    if (result == OM_RESULT_MOVED) {
        departure->stage = STAGE_LEAVING; /* Its memory is free when it has ended. */
        start_timer(departure, LEAVE_TIMEOUT_ms);
    } else if (result == OM_RESULT_LOST) {
        ask_destination(departure);
    } else {
        finish(departure);
    }
}

/* Without a report.  Before the switchover a program can end of its own accord: that is not a loss.
 */
void departure_host_ended(struct enclave *enclave)
{
    struct departure *departure = enclave->departure;
    char reason[OM_REASON_MAX];

    stop_resuming(departure);
    if (departure->stage == STAGE_QUERY)
        return;
    if (departure->stage == STAGE_LEAVING) {
        finish(departure);
        return;
    }
    if (departure->stage < STAGE_HANDED) {
        refuse(departure, "the program ended before the move began");
        return;
    }
    if (enclave->exit_status >= 0 && enclave->phase < OM_PHASE_SWITCHOVER) {
        snprintf(reason, sizeof(reason),
                 "the program ended by itself during the move, with exit status %d",
                 enclave->exit_status);
        departure->report =
            report_without_move(OM_RESULT_FAILED, (enum om_phase)enclave->phase, reason);
        finish(departure);
        return;
    }
    if (enclave->exit_signal >= 0)
        snprintf(reason, sizeof(reason),
                 "the host process of the source was ended by signal %d during the move",
                 enclave->exit_signal);
    else
        snprintf(reason, sizeof(reason), "the host process of the source ended during the move");
    departure->report = report_without_move(OM_RESULT_LOST, (enum om_phase)enclave->phase, reason);
    departure->unreported = true;
    ask_destination(departure);
}

void departure_cancel(struct enclave *enclave)
{
    struct departure *departure = enclave->departure;

    if (departure->stage < STAGE_HANDED && !departure->resuming)
        refuse(departure, "cancelled before it began");
    else if (enclave->link)
        conn_send(enclave->link, json_pack("{s:s}", "order", "cancel"));
}

/* ---- From the order to the hand-over ---- */

static json_t *make_order(const struct departure *departure)
{
    const struct enclave *enclave = departure->enclave;
    char session[24], note[512] = "";

    snprintf(session, sizeof(session), "%016llx", (unsigned long long)departure->session);
    if (enclave->attached && !enclave->quiet && !departure->check_only)
        snprintf(note, sizeof(note),
                 "optmig run: %s has been moved to %s and runs on there; it gets no more "
                 "input from here, and what it writes goes to the log there, or to the file given",
                 enclave->name, departure->to);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:f, s:s, s:b, s:b}", "order", "move_out", "session",
        session, "peer", departure->to, "mode", mode_name((int)departure->mode), "tracker",
        tracker_name((int)departure->tracker), "connections",
        connections_name((int)departure->connections), "max_downtime_us",
        (double)departure->max_downtime_us, "deadline_us", (double)departure->deadline_us, "note",
        note, "check_only", departure->check_only, "audit", departure->audit);
}

static void hand_over(struct departure *departure)
{
    struct enclave *enclave = departure->enclave;
    const int fds[OM_STREAM_COUNT] = {departure->streams[OM_STREAM_BULK].fd,
                                      departure->streams[OM_STREAM_URGENT].fd};

    const bool resuming = departure->resuming;
    json_t *order = resuming ? json_pack("{s:s}", "order", "resume") : make_order(departure);

    timer_stop(&departure->timer);
    departure->stage = STAGE_HANDED;
    departure->resuming = false;
    if (!enclave->link) {
        json_decref(order);
    } else if (conn_send_fds(enclave->link, order, fds)) {
        close_streams(departure); /* The host process has its own now. */
        return;
    }
    if (resuming) { /* It ends; that is what counts. */
        close_streams(departure);
    } else {
        refuse(departure, "the host process of %s does not take orders", enclave->name);
    }
}

static void take_answer(struct stream *stream)
{
    struct departure *departure = stream->departure;
    const char *text = stream->answer.text;
    static const char refusal[] = "REFUSE ";

    if (!strcmp(text, "OK")) {
        stream->accepted = true;
        watch_stop(&stream->watch); /* What follows is for the enclave. */
        if (departure->streams[0].accepted && departure->streams[1].accepted)
            hand_over(departure);
    } else if (!strncmp(text, refusal, sizeof(refusal) - 1)) {
        refuse(departure, "%s refuses: %s", departure->to, text + sizeof(refusal) - 1);
    } else if (departure->resuming &&
               (!strcmp(text, "STATE none") || !strcmp(text, "STATE complete"))) {
        nobody_waits(departure);
    } else {
        refuse(departure, "%s answers with something that is not of OptMig", departure->to);
    }
}

static void read_answer(struct stream *stream)
{
    struct departure *departure = stream->departure;
    int got = exact_line_read(&stream->answer, stream->fd, sizeof(stream->answer.text));

    if (got == 1)
        take_answer(stream);
    else if (got == -ECONNRESET)
        refuse(departure, "%s closed the connection without an answer; is it an optmigd?",
               departure->to);
    else if (got < 0)
        refuse(departure, "%s answers with something that is not of OptMig", departure->to);
}

static void send_hello(struct stream *stream)
{
    struct departure *departure = stream->departure;
    struct hello hello = {.session = departure->session,
                          .stream = (enum hello_stream)(stream - departure->streams +
                                                        (departure->resuming ? HELLO_RESUME : 0)),
                          .mode = departure->mode,
                          .memory_bytes = enclave_memory(departure->enclave)};
    char line[HELLO_LINE_MAX_bytes];
    size_t length;

    strcpy(hello.name, departure->enclave->name);
    length = hello_format(&hello, line, sizeof(line));
    /* The first bytes of a new connection always fit its buffer; if not, no answer comes. */
    (void)!send(stream->fd, line, length, MSG_NOSIGNAL);
    watch_change(stream->watch, UV_READABLE);
}

static void cannot_reach(struct departure *departure, int error)
{
    if (departure->address + 1 < departure->address_count && !departure->resuming) {
        departure->address++;
        connect_streams(departure);
    } else {
        refuse(departure, "cannot reach %s: %s; is optmigd running there?", departure->to,
               strerror(error));
    }
}

static void on_stream(void *owner, int events)
{
    struct stream *stream = owner;
    struct departure *departure = stream->departure;
    int error = 0;
    socklen_t length = sizeof(error);

    (void)events;
    if (stream->connected) {
        read_answer(stream);
        return;
    }
    getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        cannot_reach(departure, error);
        return;
    }
    stream->connected = true;
    send_hello(stream);
    if (departure->streams[0].connected && departure->streams[1].connected) {
        departure->stage = STAGE_ANSWER;
        start_timer(departure, ANSWER_TIMEOUT_ms);
    }
}

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof(value)); /* Advice: what is not allowed is left. */
}

int departure_socket(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    set_option(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_bytes);
    set_option(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_bytes);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    if (connect(fd, address, length) == 0 || errno == EINPROGRESS)
        return fd;
    length = (socklen_t)errno;
    close(fd);
    return -(int)length;
}

static void connect_streams(struct departure *departure)
{
    const struct sockaddr *address =
        (const struct sockaddr *)&departure->addresses[departure->address];

    close_streams(departure);
    departure->stage = STAGE_CONNECT;
    for (int i = 0; i < OM_STREAM_COUNT; i++) {
        struct stream *stream = &departure->streams[i];

        stream->fd = departure_socket(address, departure->lengths[departure->address]);
        if (stream->fd < 0) {
            cannot_reach(departure, -stream->fd);
            return;
        }
        stream->watch = watch_start(&departure->enclave->daemon->loop, stream->fd, UV_WRITABLE,
                                    on_stream, stream);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve *resolve = (struct resolve *)request;
    struct departure *departure = resolve->departure;

    free(resolve);
    if (departure) {
        departure->resolve = NULL;
        for (struct addrinfo *at = list; at && departure->address_count < ADDRESSES_MAX;
             at = at->ai_next) {
            memcpy(&departure->addresses[departure->address_count], at->ai_addr, at->ai_addrlen);
            departure->lengths[departure->address_count++] = at->ai_addrlen;
        }
        if (status || !departure->address_count)
            refuse(departure, "%s is no address that is known here: %s", departure->to,
                   uv_strerror(status ? status : UV_EAI_NONAME));
        else
            connect_streams(departure);
    }
    uv_freeaddrinfo(list);
}

static void resolve_address(struct departure *departure)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char host[256], port[8];
    struct resolve *resolve = calloc(1, sizeof(*resolve));
    int error;

    if (!resolve)
        abort();
    resolve->departure = departure;
    departure->resolve = resolve;
    address_split(departure->to, host, sizeof(host), port, sizeof(port));
    error = uv_getaddrinfo(&departure->enclave->daemon->loop, &resolve->request, on_resolved, host,
                           port, &hints);
    if (!error)
        return;
    departure->resolve = NULL;
    free(resolve);
    refuse(departure, "%s: %s", departure->to, uv_strerror(error));
}

static uint64_t microseconds(const json_t *request, const char *key, double fallback_ms)
{
    double ms = line_number(request, key, fallback_ms);

    return ms >= 0 && ms < 1e12 ? (uint64_t)(ms * 1000 + 0.5) : 0;
}

void departure_begin(struct enclave *enclave, const json_t *request)
{
    struct departure *departure = calloc(1, sizeof(*departure));
    const int tracker = tracker_parse(line_text(request, "tracker", NULL));
    char reason[1024];

    if (!departure ||
        getrandom(&departure->session, sizeof(departure->session), 0) != sizeof(departure->session))
        abort();
    enclave->departure = departure;
    enclave->state = ENCLAVE_MOVING;
    enclave->phase = OM_PHASE_NONE;
    departure->enclave = enclave;
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        departure->streams[i] = (struct stream){.departure = departure, .fd = -1};
    departure->mode = (enum om_mode)mode_parse(line_text(request, "mode", "hybrid"));
    departure->tracker = tracker < 0 ? enclave->tracker : (enum om_tracker)tracker;
    departure->audit = line_flag(request, "audit") || enclave->audit;
    departure->connections =
        (enum om_connections)connections_parse(line_text(request, "connections", "move"));
    departure->check_only = line_flag(request, "check_only");
    departure->max_downtime_us = microseconds(request, "max_downtime_ms", 20);
    departure->deadline_us = microseconds(request, "deadline_ms", 0);
    snprintf(departure->to, sizeof(departure->to), "%s", line_text(request, "to", ""));
    if (!policy_refresh(enclave->daemon, reason, sizeof(reason))) {
        refuse(departure, "%s", reason);
        return;
    }
    start_timer(departure, CONNECT_TIMEOUT_ms);
    resolve_address(departure);
}
