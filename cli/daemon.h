/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: its objects and who owns them.  One thread, one libuv loop.
 *
 *   requester   a connection on the control socket           daemon_requests.c
 *   enclave     a host process, or the record of one         daemon_enclaves.c, daemon_spawn.c,
 * daemon_link.c departure   a move out, from order to report             daemon_departure.c,
 * daemon_query.c knock       a connection on the TCP port                 daemon_arrival.c arrival
 * two knocks of one session, and their enclave daemon_arrival.c
 *
 * A move's sockets pass through the daemon once, as descriptors; it never reads what the enclaves
 * say. Trusted: requesters that the kernel says are root or the daemon's own user.  Not trusted:
 * the TCP port.
 */
#pragma once

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#include "boundary/boundary.h"
#include "cli/hello.h"
#include "host/line.h"

enum {
    REQUESTERS_MAX = 256,
    KNOCKS_MAX = 64,      /* connections of unknown peers at one time */
    ARRIVALS_MAX = 16,    /* moves in at one time */
    ENDED_MAX = 100,      /* records of enclaves that are no more */
    MOVES_KEPT_MAX = 100, /* per enclave */
    ADDRESSES_MAX = 8,    /* tried one after the other for one --to */
    ADDRESS_TEXT_MAX = OM_PEER_MAX,
    COLLATERALS_MAX = 16, /* times --collateral */
    CONNECT_TIMEOUT_ms = 10000,
    ANSWER_TIMEOUT_ms = 30000, /* the other daemon makes an enclave in this time */
    INSPECT_TIMEOUT_ms = 2000, /* status answers without the enclave's own figures then */
    LEAVE_TIMEOUT_ms = 30000,  /* for a source to give its memory back after a move */
    QUERY_TIMEOUT_ms = 15000,  /* for the destination to know how a broken move ended */
    QUERY_INTERVAL_ms = 200,
    RECONNECT_FIRST_ms = 50, /* pauses between attempts to go on with a move, each twice the last */
    RECONNECT_PAUSE_MAX_ms = 5000,
    LINGER_ms = 1000,        /* after a refusal, so that it arrives */
    STOP_TIMEOUT_ms = 10000, /* from SIGTERM to SIGKILL when the daemon ends */
};

/* ---- daemon_loop.c: watches, timers and line connections; each is freed by its own stop. ---- */

struct watch;
struct timer;
typedef void (*watch_function)(void *owner, int events);
typedef void (*timer_function)(void *owner);

/* events: UV_READABLE, UV_WRITABLE.  Never two watches on one descriptor. */
struct watch *watch_start(uv_loop_t *loop, int fd, int events, watch_function call, void *owner);
void watch_change(struct watch *watch, int events);
void watch_stop(
    struct watch **watch); /* before the descriptor is closed or given away; sets NULL */
struct timer *timer_start(uv_loop_t *loop, uint64_t ms, timer_function call, void *owner);
void timer_stop(struct timer **timer); /* also one that has fired; sets NULL */

struct conn;
struct conn_calls {
    void (*line)(void *owner, char *line, size_t length);
    void (*end)(void *owner); /* the other side closed, or broke a limit; close the conn, no other
                                 call comes */
};

/* Takes the descriptor, which it makes non-blocking. */
struct conn *conn_open(uv_loop_t *loop, int fd, const struct conn_calls *calls, void *owner);
void conn_give(struct conn *conn, const struct conn_calls *calls,
               void *owner);                  /* to another owner */
void conn_hold(struct conn *conn, bool hold); /* held: lines wait */
bool conn_send(struct conn *conn,
               json_t *object); /* takes the reference; false: it cannot be sent */
bool conn_send_fds(struct conn *conn, json_t *object, const int fds[LINE_FDS_MAX]);
size_t conn_backlog(const struct conn *conn);
int conn_fd(const struct conn *conn);
void conn_close(struct conn **conn); /* sends what can be sent at once; sets NULL */

/* ---- Objects ---- */

struct daemon_options {
    const char *state, *listen, *hostname;
    const char *device; /* for service addresses of programs that arrive; NULL: as at the source */
    const char *policy, *policy_key; /* NULL: enclaves obey no policy */
    const char *policy_signature;    /* NULL: beside the policy */
    const char *collateral[COLLATERALS_MAX];
    unsigned collateral_count;
    const char *tsm;       /* platform tsm, and where the kernel takes requests; NULL: sim */
    uint64_t memory_limit; /* 0: none */
    const char *registry;  /* ADDR:PORT of the registrar of starts; NULL: none */
    uint64_t reconnect_ms; /* for so long attempts are made to go on with a move */
    enum om_log_level log_level;
    bool keep; /* enclaves run on when the daemon ends */
};

struct daemon {
    uv_loop_t loop;
    struct daemon_options options;
    char host_program[PATH_MAX], key_path[PATH_MAX], log_dir[PATH_MAX];
    char receipt_dir[PATH_MAX];      /* one file for each move (host/receipt.h) */
    char bundle_path[PATH_MAX + 16]; /* policy and collateral, for host processes */
    char hostname[64], listen_address[ADDRESS_TEXT_MAX];
    const char *platform, *isolation; /* of its enclaves, for reports */
    int lock_fd, control_fd, tcp_fd;
    struct watch *control_watch, *tcp_watch;
    uv_signal_t signals[2];
    struct timer *stop_timer;
    bool stopping;
    uint64_t stop_begun; /* uv_now */
    struct enclave *enclaves;
    struct requester *requesters;
    struct knock *knocks;
    struct arrival *arrivals;
    unsigned requester_count, knock_count;
};

enum enclave_state {
    ENCLAVE_STARTING,
    ENCLAVE_RUNNING,
    ENCLAVE_MOVING,    /* there is a departure */
    ENCLAVE_LEAVING,   /* its move has ended, the host process not yet */
    ENCLAVE_RECEIVING, /* its host process waits for it; it does not run here yet */
    ENCLAVE_EXITED,    /* this and all below: only a record is left */
    ENCLAVE_MOVED,
    ENCLAVE_LOST,
};

struct enclave {
    struct enclave *next;
    struct daemon *daemon;
    char name[OM_NAME_MAX];
    enum enclave_state state;
    enum om_tracker tracker;
    bool audit; /* its moves by the barrier tracker are audited */
    bool slow_calls;
    bool wants_terminal; /* optmig run -t */
    bool attached;       /* started in a terminal by optmig run; not a child of the daemon */
    bool quiet;
    bool arriving;            /* runs here, but some of its memory is still on the way */
    bool complete;            /* arrived here by session_in, in full; or needs no more of it */
    bool arrival_failed;      /* its host process has said so, and ends */
    bool lost;                /* in a move out */
    uint64_t session_in;      /* 0: started here */
    uint64_t memory_promised; /* while it arrives */
    pid_t pid;
    int pidfd;
    struct process *process; /* not attached, and not ended yet */
    struct conn *link;
    char *command; /* for people; UTF-8 */
    char *log_path;
    char failure[OM_REASON_MAX];  /* why it did not start */
    int start_status;             /* the exit status that goes with failure */
    int exit_status, exit_signal; /* -1: not known */
    uint32_t phase;               /* of the move under way */
    json_t *severed;              /* its connections broke: what it waits for; or NULL */
    struct query *farewell;       /* tells the destination that a move is not gone on with */
    char moved_to[ADDRESS_TEXT_MAX];
    json_t *moves;
    json_t *services; /* addresses that go when it ends: [{address, device}] */
    struct departure *departure;
    struct arrival *arrival;
    struct terminal *terminal; /* NULL: it has none */
    int relay_pidfd;           /* of connections that it has left here; -1: none */
    pid_t relay_pid;
    unsigned relay_connections;
};

/* What a requester waits for. */
enum wait {
    WAIT_NOTHING,
    WAIT_START,   /* run */
    WAIT_INSPECT, /* status */
    WAIT_END,     /* stop */
    WAIT_SETTLED, /* migrate, stop: until the move in is complete; then the request is done again */
    WAIT_REPORT,  /* migrate */
    WAIT_CANCEL,  /* cancel: until the move has ended */
    WAIT_FOLLOW,  /* logs --follow: until the enclave has ended */
    WAIT_ATTACH,  /* the same, and meanwhile it is at the terminal */
};

struct requester {
    struct requester *next;
    struct daemon *daemon;
    struct conn *conn;
    enum wait wait;
    struct enclave *enclave; /* for which it waits */
    struct timer *timer;
    json_t *request;      /* WAIT_SETTLED */
    bool killed;          /* WAIT_END: with SIGKILL */
    bool typed;           /* WAIT_ATTACH: the last one who did */
    uint64_t typed_bytes; /* so many have come from him */
};

/* ---- optmigd.c ---- */
/* A start that fails: takes back what it has made, and ends with status 1. */
_Noreturn void daemon_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void daemon_log(const struct daemon *daemon, enum om_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The daemon's own end may have waited for these. */
void daemon_enclave_ended(struct daemon *daemon);
void daemon_enclave_settled(struct enclave *enclave); /* a move in or out has ended */

/* ---- daemon_state.c ---- */
/* Makes, checks and locks the state directory, with key and logs; or daemon_die. */
void state_open(struct daemon *daemon);
/* Removes what this start has made; or keeps it, since the start was a success. */
void state_undo(void);
void state_keep(void);

/* ---- daemon_policy.c ---- */
/* Reads the policy, if there is to be one, or daemon_die. */
void policy_start(struct daemon *daemon);
/* Reads it again, for a move.  False and a reason if it cannot be obeyed (any more). */
bool policy_refresh(const struct daemon *daemon, char *reason, size_t size);

/* ---- daemon_enclaves.c ---- */
struct enclave *enclave_new(struct daemon *daemon, const char *name);
void enclave_take_name(struct enclave *enclave); /* it runs: older records of its name go */
void enclave_free(struct enclave *enclave);      /* also takes it off the list */
bool enclave_live(const struct enclave *enclave);
struct enclave *enclave_find(struct daemon *daemon,
                             const char *name); /* a live one before a record */
/* A name that no live enclave has: wanted, or wanted-2, ...  false if none is left. */
bool enclave_pick_name(struct daemon *daemon, const char *wanted, char out_name[OM_NAME_MAX]);
void enclave_set_pid(struct enclave *enclave, pid_t pid);
bool enclave_signal(const struct enclave *enclave, int signal);
/* To what passes on the connections that it has left here; 0: is it there?  False: it is not. */
bool enclave_relay_signal(const struct enclave *enclave, int signal);
uint64_t enclave_memory(const struct enclave *enclave); /* resident bytes of the host process */
uint64_t
enclaves_memory(const struct daemon *daemon); /* of all, and what is promised to arrivals */
json_t *enclave_to_json(const struct enclave *enclave, bool in_full);
void enclave_add_move(struct enclave *enclave, const json_t *report);
/* Its link and its process are gone, or one of them: finds out what that means and tells who waits.
 */
void enclave_check_ended(struct enclave *enclave);

/* By SIGSTOP or Ctrl-Z, and its host process with it: it takes no orders then. */
bool enclave_stopped(const struct enclave *enclave);

/* ---- daemon_spawn.c ---- */
struct spawn {
    char *path;            /* NULL: receive */
    char **argv, **envp;   /* NULL-terminated; envp NULL: the daemon's own */
    char *cwd;             /* NULL: the daemon's own */
    int umask;             /* -1: the daemon's own */
    const char *log_level; /* NULL: the daemon's */
    char **services;       /* ADDRESS/BITS@DEVICE; NULL: none */
};
/* Starts a host process.  Its link is open then, and events come. */
bool enclave_spawn(struct enclave *enclave, const struct spawn *spawn, char *reason,
                   size_t reason_size);
void process_forget(struct process **process); /* leaves the process alone; it is not waited for */

/* ---- daemon_link.c ---- */
extern const struct conn_calls link_calls; /* owner: struct enclave */

/* ---- daemon_requests.c ---- */
void requester_accept(void *daemon, int events);
void requester_free(struct requester *requester);
void requester_reply(struct requester *requester,
                     json_t *reply);              /* ends its wait; takes the reference */
void requesters_started(struct enclave *enclave); /* or did not */
void requesters_inspected(struct enclave *enclave, json_t *figures); /* borrows */
void requesters_progress(struct enclave *enclave, const json_t *event);
void requesters_settled(struct enclave *enclave,
                        const json_t *report); /* a move in or out has ended */
void requesters_ended(struct enclave *enclave);

/* To all who are at its terminal; takes the reference.  False: one of them reads too slowly. */
bool requesters_show(struct enclave *enclave, json_t *output);

/* ---- daemon_terminal.c ---- */
void terminal_open(struct enclave *enclave, int fd_of_host); /* takes it out of the host process */
/* What was shown last, to be freed; the length without what is no whole line at its begin. */
json_t *terminal_shown(const struct terminal *terminal);
void terminal_type(struct terminal *terminal, const char *bytes, size_t length);
void terminal_resize(struct terminal *terminal, unsigned rows, unsigned columns);
/* Shows what is left; what was shown last can still be asked for. */
void terminal_end(struct terminal *terminal);
/* What was typed and never reached the program, once it has ended. */
json_t *terminal_unread(const struct terminal *terminal);
void terminal_free(struct terminal **terminal); /* sets NULL */

/* ---- daemon_departure.c ---- */
void departure_begin(struct enclave *enclave, const json_t *request);
void departure_cancel(struct enclave *enclave);
void departure_done(struct enclave *enclave,
                    json_t *report); /* the host process reports; borrows */
void departure_host_ended(struct enclave *enclave);
void departure_severed(struct enclave *enclave); /* new connections are needed */
void departure_mended(struct enclave *enclave);
/* Attempts begin anew after in doubt.  False: it waits for nothing. */
bool departure_resume(struct enclave *enclave);
/* An operator wants the program back: asks the registry of starts.  False: it waits for nobody. */
bool departure_recover(struct enclave *enclave);
/* It failed: whoever may wait for it at the destination need not. */
void departure_farewell(struct departure *departure);
void departure_free(struct departure *departure);
int departure_socket(const struct sockaddr *address, socklen_t length); /* connecting; or -errno */
const char *departure_phase(const struct enclave *enclave, const char **out_to);

/* ---- daemon_query.c ---- */
enum query_answer { QUERY_COMPLETE, QUERY_NONE, QUERY_UNKNOWN };
struct query;
/* Asks the daemon at address how a session ended there, until it knows or QUERY_TIMEOUT_ms have
 * passed. */
struct query *query_begin(struct daemon *daemon, const struct sockaddr_storage *address,
                          socklen_t length, const struct hello *hello,
                          void (*answered)(void *owner, enum query_answer answer), void *owner);
void query_free(struct query **query);

/* ---- daemon_arrival.c ---- */
void knock_accept(void *daemon, int events);
void arrival_host_ready(struct enclave *enclave);
void arrival_host_ended(struct enclave *enclave); /* before it was ready */
void arrivals_free(struct daemon *daemon);
