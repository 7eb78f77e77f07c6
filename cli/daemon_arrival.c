/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP port: other daemons that bring an enclave, and anybody else who can reach it.
 *
 * A connection is a knock until its one line is read; two knocks of one session make an arrival;
 * when its host process is ready both are answered OK and given to it.  Every refusal says why.
 * Nothing of the program is seen here, and nothing here decides whether it may run: the two
 * enclaves do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/units.h"
#include "host/report.h"

enum {
    READY_TIMEOUT_ms = 25000,
    NAME_TIMEOUT_ms = 3000,
    NAME_STEP_ms = 20,
    KEEPALIVE_s = 10,
    KEEPALIVE_COUNT = 3,
    PEER_TEXT_MAX = 64,
};

struct knock {
    struct knock *next;
    struct daemon *daemon;
    int fd;
    struct watch *watch;
    struct timer *timer;
    struct exact_line line;
    char peer[PEER_TEXT_MAX];
};

struct arrival {
    struct arrival *next;
    struct daemon *daemon;
    struct hello hello; /* of the first knock */
    bool resumes;       /* a session whose connections broke */
    struct knock *knocks[OM_STREAM_COUNT];
    struct timer *timer;
    struct enclave *enclave; /* once both knocks are there */
    unsigned waited_ms;      /* for an earlier arrival of its name to end */
};

/* ---- Knocks ---- */

/* The descriptor is closed, or has been given on and is -1. */
static void knock_free(struct knock *knock)
{
    struct knock **at = &knock->daemon->knocks;

    while (*at != knock)
        at = &(*at)->next;
    *at = knock->next;
    knock->daemon->knock_count--;
    watch_stop(&knock->watch);
    timer_stop(&knock->timer);
    if (knock->fd >= 0)
        close(knock->fd);
    free(knock);
}

static void on_knock_timeout(void *owner)
{
    knock_free(owner);
}

static void drain(void *owner, int events)
{
    struct knock *knock = owner;
    char dropped[4096];
    ssize_t got = recv(knock->fd, dropped, sizeof(dropped), MSG_DONTWAIT);

    (void)events;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        knock_free(knock);
}

/* Says the last word, and waits a little: closing at once with bytes unread would destroy it on its
 * way. */
static void say_last(struct knock *knock, const char *line)
{
    (void)!send(knock->fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(knock->fd, SHUT_WR);
    watch_stop(&knock->watch);
    timer_stop(&knock->timer);
    knock->watch = watch_start(&knock->daemon->loop, knock->fd, UV_READABLE, drain, knock);
    knock->timer = timer_start(&knock->daemon->loop, LINGER_ms, on_knock_timeout, knock);
}

static void refuse_knock(struct knock *knock, const char *reason)
{
    char line[ANSWER_LINE_MAX_bytes];

    daemon_log(knock->daemon, OM_LOG_WARN, "refused a connection from %s: %s", knock->peer, reason);
    snprintf(line, sizeof(line) - 1, "REFUSE %s", reason);
    strcat(line, "\n");
    say_last(knock, line);
}

/* ---- Arrivals ---- */

static void arrival_free(struct arrival *arrival)
{
    struct arrival **at = &arrival->daemon->arrivals;

    while (*at != arrival)
        at = &(*at)->next;
    *at = arrival->next;
    timer_stop(&arrival->timer);
    if (arrival->enclave)
        arrival->enclave->arrival = NULL;
    free(arrival);
}

static void refuse_arrival(struct arrival *arrival, const char *reason)
{
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        if (arrival->knocks[i])
            refuse_knock(arrival->knocks[i], reason);
    arrival_free(arrival);
}

static void on_arrival_timeout(void *owner)
{
    struct arrival *arrival = owner;

    if (!arrival->enclave) {
        refuse_arrival(arrival, "the other stream of the session did not come in time");
        return;
    }
    snprintf(arrival->enclave->failure, sizeof(arrival->enclave->failure),
             "the host process was not ready in time");
    timer_stop(&arrival->timer);
    enclave_signal(arrival->enclave, SIGKILL); /* Its end refuses the arrival. */
}

void arrival_host_ended(struct enclave *enclave)
{
    char reason[OM_REASON_MAX + 64];

    snprintf(reason, sizeof(reason), "no enclave can be made here: %s",
             enclave->failure[0] ? enclave->failure : "the host process ended; see its log");
    refuse_arrival(enclave->arrival, reason);
}

static json_t *make_order(const struct hello *hello, const char *peer, uint64_t reconnect_ms)
{
    char session[24];

    snprintf(session, sizeof(session), "%016llx", (unsigned long long)hello->session);
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "order", "move_in", "session", session, "mode",
                     mode_name((int)hello->mode), "peer", peer, "reconnect_ms",
                     (json_int_t)reconnect_ms);
}

void arrival_host_ready(struct enclave *enclave)
{
    struct arrival *arrival = enclave->arrival;
    struct knock **knocks = arrival->knocks;
    const int fds[OM_STREAM_COUNT] = {knocks[0]->fd, knocks[1]->fd};

    for (int i = 0; i < OM_STREAM_COUNT; i++)
        (void)!send(fds[i], "OK\n", 3, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (!conn_send_fds(
            enclave->link,
            make_order(&arrival->hello, knocks[0]->peer, enclave->daemon->options.reconnect_ms),
            fds))
        enclave_signal(enclave, SIGKILL); /* The closed sockets tell the source. */
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        knock_free(knocks[i]);
    arrival_free(arrival);
}

static struct enclave *find_session(struct daemon *daemon, const struct hello *hello)
{
    struct enclave *e = daemon->enclaves;

    while (e && (e->session_in != hello->session || strcmp(e->name, hello->name)))
        e = e->next;
    return e;
}

static bool may_resume(const struct enclave *enclave)
{
    return enclave && enclave_live(enclave) && enclave->link &&
           (enclave->state == ENCLAVE_RECEIVING || enclave->arriving);
}

/* Its host process gets the new connections; the old ones it gives up. */
static void resume_arrival(struct arrival *arrival)
{
    struct enclave *enclave = find_session(arrival->daemon, &arrival->hello);
    struct knock **knocks = arrival->knocks;
    const int fds[OM_STREAM_COUNT] = {knocks[0]->fd, knocks[1]->fd};

    if (!may_resume(enclave)) {
        refuse_arrival(arrival, "it has just ended here");
        return;
    }
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        (void)!send(fds[i], "OK\n", 3, MSG_NOSIGNAL | MSG_DONTWAIT);
    conn_send_fds(enclave->link, json_pack("{s:s}", "order", "resume"), fds);
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        knock_free(knocks[i]);
    arrival_free(arrival);
}

static unsigned count_arrivals(const struct daemon *daemon)
{
    unsigned count = 0;

    for (struct enclave *e = daemon->enclaves; e; e = e->next)
        count += e->state == ENCLAVE_RECEIVING || e->arriving;
    return count;
}

/* Whether it may come in.  Otherwise a reason for the other side. */
static bool admit(struct daemon *daemon, const struct hello *hello, char *reason, size_t size)
{
    const struct enclave *holder = enclave_find(daemon, hello->name);
    const uint64_t limit = daemon->options.memory_limit, used = limit ? enclaves_memory(daemon) : 0;
    char need[32], left[32], all[32], wrong[512];

    if (daemon->stopping)
        snprintf(reason, size, "optmigd is about to end here");
    else if (holder && enclave_live(holder))
        snprintf(reason, size, "an enclave called %s is here already", hello->name);
    else if (count_arrivals(daemon) >= ARRIVALS_MAX)
        snprintf(reason, size, "%d moves come in already; try again later", ARRIVALS_MAX);
    else if (limit && (used >= limit || hello->memory_bytes > limit - used))
        snprintf(reason, size, "it needs %s of memory; %s of this host's limit of %s are left",
                 units_size((double)hello->memory_bytes, need, sizeof(need)),
                 units_size(used < limit ? (double)(limit - used) : 0, left, sizeof(left)),
                 units_size((double)limit, all, sizeof(all)));
    else if (policy_refresh(daemon, wrong, sizeof(wrong)))
        return true;
    else { /* What is wrong with it is no business of whoever can reach the port. */
        daemon_log(daemon, OM_LOG_ERROR, "no move in: %s", wrong);
        snprintf(reason, size, "this host's policy cannot be obeyed; its log says why");
    }
    return false;
}

static void begin_arrival(struct arrival *arrival);

static void on_name_wait(void *owner)
{
    begin_arrival(owner);
}

/* After a move that was refused the source can come again before the host process of that one has
 * ended here. */
static bool waits_for_name(struct arrival *arrival)
{
    const struct enclave *holder = enclave_find(arrival->daemon, arrival->hello.name);

    if (!holder || holder->state != ENCLAVE_RECEIVING || arrival->waited_ms >= NAME_TIMEOUT_ms)
        return false;
    arrival->waited_ms += NAME_STEP_ms;
    timer_stop(&arrival->timer);
    arrival->timer = timer_start(&arrival->daemon->loop, NAME_STEP_ms, on_name_wait, arrival);
    return true;
}

static void begin_arrival(struct arrival *arrival)
{
    struct daemon *daemon = arrival->daemon;
    const struct spawn spawn = {.umask = -1};
    char reason[1024];
    struct enclave *enclave;

    if (waits_for_name(arrival))
        return;
    if (!admit(daemon, &arrival->hello, reason, sizeof(reason))) {
        refuse_arrival(arrival, reason);
        return;
    }
    enclave = enclave_new(daemon, arrival->hello.name);
    enclave->state = ENCLAVE_RECEIVING;
    enclave->session_in = arrival->hello.session;
    enclave->memory_promised = arrival->hello.memory_bytes;
    json_array_append_new(enclave->moves,
                          json_pack("{s:s, s:s, s:s, s:s}", "from", arrival->knocks[0]->peer, "to",
                                    daemon->listen_address, "mode",
                                    mode_name((int)arrival->hello.mode), "result", "arrived"));
    if (!enclave_spawn(enclave, &spawn, reason, sizeof(reason))) {
        enclave_free(enclave);
        refuse_arrival(arrival, reason);
        return;
    }
    arrival->enclave = enclave;
    enclave->arrival = arrival;
    timer_stop(&arrival->timer);
    arrival->timer = timer_start(&daemon->loop, READY_TIMEOUT_ms, on_arrival_timeout, arrival);
    daemon_log(daemon, OM_LOG_INFO, "%s: arrives from %s (%s)", enclave->name,
               arrival->knocks[0]->peer, mode_name((int)arrival->hello.mode));
}

static struct arrival *arrival_new(struct daemon *daemon, const struct hello *hello, bool resumes)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));

    if (!arrival)
        abort();
    arrival->daemon = daemon;
    arrival->hello = *hello;
    arrival->resumes = resumes;
    arrival->next = daemon->arrivals;
    daemon->arrivals = arrival;
    arrival->timer = timer_start(&daemon->loop, HELLO_TIMEOUT_ms, on_arrival_timeout, arrival);
    return arrival;
}

static void join_arrival(struct knock *knock, const struct hello *hello)
{
    const bool resumes = hello->stream >= HELLO_RESUME;
    const int stream = (int)hello->stream - (resumes ? (int)HELLO_RESUME : 0);
    struct arrival *arrival = knock->daemon->arrivals;

    while (arrival && (arrival->hello.session != hello->session || arrival->resumes != resumes))
        arrival = arrival->next;
    if (arrival && (arrival->knocks[stream] || strcmp(arrival->hello.name, hello->name) ||
                    arrival->hello.mode != hello->mode)) {
        refuse_knock(knock, "this session has that stream already, or is of another enclave");
        return;
    }
    if (!arrival)
        arrival = arrival_new(knock->daemon, hello, resumes);
    watch_stop(&knock->watch); /* What comes now is for the enclave. */
    timer_stop(&knock->timer); /* The arrival's runs instead. */
    arrival->knocks[stream] = knock;
    if (!arrival->knocks[0] || !arrival->knocks[1])
        return;
    if (resumes)
        resume_arrival(arrival);
    else
        begin_arrival(arrival);
}

/* The source's daemon asks how a move ended that its own host process did not see the end of, or
 * cannot go on with. */
static void answer_state(struct knock *knock, const struct hello *hello)
{
    const struct enclave *enclave = find_session(knock->daemon, hello);
    const char *state = "none";
    char line[32];

    if (enclave) {
        if (enclave->complete)
            state = "complete";
        else if (enclave_live(enclave))
            state = enclave->arriving ? "running" : "receiving";
    }
    snprintf(line, sizeof(line), "STATE %s\n", state);
    say_last(knock, line);
}

/* Who asks does not go on with the session: nobody need wait for that. */
static void answer_query(struct knock *knock, const struct hello *hello)
{
    struct enclave *enclave = find_session(knock->daemon, hello);

    if (may_resume(enclave))
        conn_send(enclave->link, json_pack("{s:s}", "order", "gone"));
    answer_state(knock, hello);
}

static void on_knock(void *owner, int events)
{
    struct knock *knock = owner;
    struct hello hello;
    char reason[256];
    int got = exact_line_read(&knock->line, knock->fd, HELLO_LINE_MAX_bytes);

    (void)events;
    if (got == 0)
        return;
    if (got == -EMSGSIZE || got == -EBADMSG)
        refuse_knock(knock, "this is a port of optmigd, and that was no line of its protocol");
    else if (got < 0)
        knock_free(knock);
    else if (!hello_parse(knock->line.text, &hello, reason, sizeof(reason)))
        refuse_knock(knock, reason);
    else if (hello.stream == HELLO_QUERY)
        answer_query(knock, &hello);
    else if (hello.stream >= HELLO_RESUME && !may_resume(find_session(knock->daemon, &hello)))
        answer_state(knock, &hello);
    else
        join_arrival(knock, &hello);
}

static void describe_peer(const struct sockaddr_storage *address, char text[PEER_TEXT_MAX])
{
    const void *ip = address->ss_family == AF_INET6
                         ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                         : (const void *)&((const struct sockaddr_in *)address)->sin_addr;

    if (!inet_ntop(address->ss_family, ip, text, PEER_TEXT_MAX))
        strcpy(text, "?");
}

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof(value));
}

void knock_accept(void *owner, int events)
{
    struct daemon *daemon = owner;
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    struct knock *knock;
    int fd =
        accept4(daemon->tcp_fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (daemon->knock_count >= KNOCKS_MAX) {
        static const char busy[] = "REFUSE too many connections at one time\n";

        (void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    knock = calloc(1, sizeof(*knock));
    if (!knock)
        abort();
    knock->daemon = daemon;
    knock->fd = fd;
    describe_peer(&address, knock->peer);
    knock->next = daemon->knocks;
    daemon->knocks = knock;
    daemon->knock_count++;
    knock->watch = watch_start(&daemon->loop, fd, UV_READABLE, on_knock, knock);
    knock->timer = timer_start(&daemon->loop, HELLO_TIMEOUT_ms, on_knock_timeout, knock);
}

void arrivals_free(struct daemon *daemon)
{
    while (daemon->arrivals)
        arrival_free(daemon->arrivals);
    while (daemon->knocks)
        knock_free(daemon->knocks);
}
