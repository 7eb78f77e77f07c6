/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host process, one per enclave: what host/control.c (the link to the daemon) asks of it.
 * main.c parses the command line; enclave.c makes ELRANGE, loads the runtime and calls it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "boundary/boundary.h"

struct enclave_options {
    char name[OM_NAME_MAX];
    const char *runtime_path; /* NULL: beside this executable */
    const char *key_path;     /* platform sim: the host's secret key file (32 bytes), made by the
                                 daemon; NULL: a fresh key */
    const char *tsm_path;     /* platform tsm, and where its requests are made; NULL: sim */
    const char *bundle_path;  /* file with policy and collateral; NULL: none is obeyed */
    int log_fd;               /* lines of the runtime; -1: none */
    bool quiet;               /* no banner */
    bool logged;              /* standard output and error are the log of the daemon */
    enum om_log_level log_level;
    enum om_tracker tracker; /* of its moves, unless another is asked for */
    bool audit;
    bool slow_calls; /* no system call is patched */
};

/* Makes ELRANGE, loads and measures the runtime.  Once, before any thread is made.  0 or -1 and a
 * reason. */
int enclave_create(const struct enclave_options *options, char reason[OM_REASON_MAX]);

/* Loads the program and lets it run.  0, or a negative errno and a reason (-ENOEXEC, -ENOENT, ...).
 */
int enclave_start(const char *path, char *const argv[], char *const envp[], const char *cwd,
                  const struct om_service *services, uint32_t service_count,
                  char reason[OM_REASON_MAX]);

struct move_options {
    enum om_mode mode;
    enum om_tracker tracker;
    enum om_connections connections;
    bool audit;
    bool check_only; /* source: move nothing */
    uint64_t max_downtime_us;
    uint64_t deadline_us; /* 0: none */
    uint64_t session;
    uint32_t reconnect_ms;    /* how long a destination that never started answers the source */
    char peer[OM_PEER_MAX];   /* address of the other host, for the policy */
    int fds[OM_STREAM_COUNT]; /* connected sockets, given away: closed when the move ends */
};

/* Called on a thread of the move: progress often, done once.  The report is valid during the call.
 */
struct move_callbacks {
    void (*progress)(const struct om_progress *progress);
    void (*rule)(const struct om_rule *rule);          /* of a policy, when it was judged */
    void (*severed)(const struct om_severed *severed); /* new sockets are needed */
    void (*done)(const struct om_move_report *report);
};

/* Start a move on threads of their own and return at once; one at a time.  0, or -EBUSY.
 * Source: when done says MOVED the process must exit; otherwise the program runs on here.
 * Destination: progress with OM_PHASE_POSTCOPY means that the program runs here now. */
int enclave_move_out(const struct move_options *options, const struct move_callbacks *callbacks);
int enclave_move_in(const struct move_options *options, const struct move_callbacks *callbacks);
/* New sockets for the move under way, given away; or there will be none, with a negative errno. */
void enclave_resume(const int fds[OM_STREAM_COUNT]);
void enclave_orphan(long error);
void enclave_cancel(void); /* asks the move under way to give up; too late after the commit point */

void enclave_inspect(struct ecall_inspect *out);

/* Moves a descriptor into the host's range, where the program cannot reach it, and closes the old
 * one. Every descriptor that the host process keeps goes through here.  The new number, or -1 and
 * errno. */
int host_fd_keep(int fd);

/* control.c: tells the daemon which service addresses to remove when this process has ended.  On
 * any host thread. */
void control_own_service(const struct om_service *service, bool own);

/* control.c: the link to the daemon.  First, before the program can take or close a descriptor: */
void control_prepare(void);
void control_relay(int pid, uint32_t connections); /* it goes on when this process ends */
void control_terminal(int master); /* the program has a terminal; the daemon may take this end */
void control_link(int control_fd); /* kept by host_fd_keep */
/* Then it runs on the main thread until the process ends. */
_Noreturn void control_run(bool destination);
