/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types that cross the boundary between enclave and host process (boundary/calls.def).
 *
 * All sizes are bytes unless a name says otherwise.  Pointers in an ECALL's argument point to
 * memory of the host, which may change under the enclave's hands: it copies them in once, then
 * checks.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boundary/layout.h"

enum {
    OM_ECANCELLED =
        600, /* a blocking call was not made because the thread has to stop or has a signal */
    OM_BOUNDARY_VERSION = 999,
    OM_SIGNAL_STOP = 63, /* host and runtime keep this signal for themselves */
    OM_NAME_MAX = 64,
    OM_REASON_MAX = 2048, /* of a refusal with all its reasons */
    OM_PEER_MAX = 300,    /* an address as text */
    OM_RULE_TEXT_MAX = 256,
    OM_STREAM_BULK = 0,
    OM_STREAM_URGENT = 1,
    OM_STREAM_COUNT = 2,
};

/* Exit status of a host process whose runtime gave up: never taken for the program's own. */
enum { OM_ABORT_STATUS = 134 };

enum om_mode { OM_MODE_HYBRID, OM_MODE_PRECOPY, OM_MODE_POSTCOPY, OM_MODE_STOPCOPY };
enum om_tracker { OM_TRACKER_KERNEL, OM_TRACKER_MPROTECT, OM_TRACKER_BARRIER };
/* What becomes of established connections; if they cannot be moved, MOVE refuses the move.  PROXY:
 * they stay at the source host, whose relay passes on what comes. */
enum om_connections { OM_CONNECTIONS_MOVE, OM_CONNECTIONS_RESET, OM_CONNECTIONS_PROXY };

enum { OM_RELAY_TOKEN_bytes = 32 };

struct om_relayed { /* a socket that stays at the source host */
    int32_t fd;
    uint32_t listens;
    uint8_t token[OM_RELAY_TOKEN_bytes]; /* what its stand-in at the destination says first */
};
enum om_log_level { OM_LOG_ERROR, OM_LOG_WARN, OM_LOG_INFO, OM_LOG_DEBUG };

/* Between the reasons of a refusal, when there are several. */
#define OM_REASON_SEPARATOR " | "

/* How a move ended; the numbers are the exit status of `optmig migrate`. */
enum om_result {
    OM_RESULT_MOVED = 0,
    OM_RESULT_REFUSED = 1, /* before any state left; nothing happened */
    OM_RESULT_FAILED = 3,  /* the program still runs at the source (also: cancelled) */
    OM_RESULT_LOST = 4,    /* the program is lost */
    OM_RESULT_IN_DOUBT =
        6,                 /* of the daemon: the start token was sent, the peer cannot be reached */
    OM_RESULT_MOVABLE = 5, /* it was only asked: it could have been moved */
};

enum om_phase {
    OM_PHASE_NONE,
    OM_PHASE_PREPARE,
    OM_PHASE_PRECOPY,
    OM_PHASE_SWITCHOVER,
    OM_PHASE_POSTCOPY,
    OM_PHASE_DONE,
};

struct om_buffer {
    const void *data;
    size_t length;
};

/* A service address: moves with the program (optmig run --address).  Sent as it is in PREPARE. */
enum { OM_SERVICES_MAX = 8, OM_DEVICE_MAX = 16 };

struct om_service {
    uint8_t family;             /* AF_INET or AF_INET6 */
    uint8_t prefix;             /* bits of the network */
    uint8_t address[16];        /* network order; IPv4 in the first four */
    char device[OM_DEVICE_MAX]; /* network interface, NUL-terminated */
};

enum om_service_order {
    OM_SERVICE_CHECK,    /* could it be taken here?  Changes nothing. */
    OM_SERVICE_TAKE,     /* this host has the address now; no error if it had it already */
    OM_SERVICE_LEAVE,    /* and now not any more; no error if it had not */
    OM_SERVICE_ANNOUNCE, /* tells the network where it is: gratuitous ARP, unsolicited NA */
    OM_SERVICE_OWN,      /* it is this enclave's: to be removed when its process ends */
    OM_SERVICE_DISOWN,
};

/* What PAGEMAP_SCAN is asked (host/track.c).  start and end are page-aligned addresses. */
struct om_scan {
    uint64_t start, end;
    uint32_t
        written_only; /* 1: pages written since they were last protected; 0: all present pages */
    uint32_t protect; /* 1: write-protect what is reported, atomically with reporting it */
};

enum { OM_REGION_HUGE = 1 }; /* mapped by a huge page */

struct om_region {
    uint64_t start, end; /* addresses */
    uint64_t flags;
};

/* Live figures of a move, for the progress line. */
struct om_progress {
    uint32_t phase; /* enum om_phase */
    uint32_t round;
    uint64_t bytes_sent;
    uint64_t bytes_remaining; /* memory still to be sent in this round or in post-copy */
    uint64_t memory_bytes;
    uint64_t elapsed_us;
    uint32_t tracker; /* that the program was started with; right from OM_PHASE_POSTCOPY on */
    uint32_t audit;
};

/* Why a new connection is needed, for whoever asks what a move waits for. */
enum om_severed_side {
    OM_SEVERED_SOURCE,  /* the program has left, or its start token was lost with the connection */
    OM_SEVERED_RUNNING, /* it runs here, without the missing pages */
    OM_SEVERED_WITHDRAWN, /* it never started here, and the source may want to know */
    OM_SEVERED_SIDE_COUNT,
};
enum { OM_SEVERED_AREAS_MAX = 512 };

struct om_severed {
    uint32_t side; /* enum om_severed_side */
    uint32_t reserved;
    uint64_t missing_pages;           /* that the destination does not have, as far as is known */
    char areas[OM_SEVERED_AREAS_MAX]; /* where they are, the first of them */
    char reason[OM_PEER_MAX];         /* what broke the connection */
};

/* One rule of a policy, as it was judged (enclave/attestation.c). */
struct om_rule {
    uint32_t pass;
    uint32_t about_source; /* 1: judged by the destination, about the source; 0: the other way */
    char name[OM_RULE_TEXT_MAX];
    char found[OM_RULE_TEXT_MAX];
    char wanted[OM_RULE_TEXT_MAX];
};

/* The report of a move, filled by the source enclave (durations in microseconds). */
struct om_move_report {
    uint32_t result; /* enum om_result */
    uint32_t rounds;
    uint64_t memory_bytes; /* resident at the source */
    uint64_t pages;        /* page contents sent, all phases */
    uint64_t heads;        /* of pages, sent alone (barrier tracker) */
    uint64_t zero_pages;   /* found zero and not sent */
    uint64_t bytes_sent;   /* on the wire, sealed */
    uint64_t total_us, prepare_us, precopy_us;
    uint64_t attest_us; /* of prepare: the handshake, with evidence and policies */
    uint64_t
        downtime_us; /* from the order to stop to the first thread released at the destination */
    uint64_t stop_us, capture_us, transfer_us, commit_us, resume_us;
    uint64_t switchover_pages; /* sent while stopped */
    uint64_t postcopy_pages, postcopy_us;
    uint64_t urgent_pages;                         /* of the postcopy pages, sent on demand */
    uint64_t stop_realtime_ns, resume_realtime_ns; /* CLOCK_REALTIME, for the timeline */
    uint32_t phase_reached;                        /* enum om_phase */
    uint32_t slow_thread; /* the last to stop, if that took over 10 ms, and where it was; else 0 */
    uint64_t slow_pc;
    char slow_program[256]; /* the program's file, if its path is no longer than that */
    uint64_t dirty_us;      /* of the downtime: finding what was written since the last look */
    uint64_t hooks_us;      /* before the stop: the program was told of it, and waited for */
    uint64_t audited;       /* 1: the kernel tracker watched the barrier */
    uint64_t resumed;       /* how often the connection broke and was replaced */
    uint64_t audit_missed;  /* pages that were written and not marked */
    uint64_t receipt_us;    /* after the move, and no part of the total */
    char no_receipt[OM_RULE_TEXT_MAX]; /* of a move: why it has no receipt; empty when it has */
    char reason[OM_REASON_MAX];        /* why it did not move; empty when it did */
};

/* Where everything of the host is that the enclave may call: made from calls.def. */
struct om_progress;
struct om_rule;
struct om_severed;
#define OCALL(type, name, parameters) type(*name) parameters;
#define ECALL(name, argument)
struct host_calls {
#include "boundary/calls.def"
};
#undef OCALL
#undef ECALL

#define OCALL(type, name, parameters)
#define ECALL(name, argument) ECALL_##name,
enum ecall_number {
#include "boundary/calls.def"
    ECALL_COUNT
};
#undef OCALL
#undef ECALL

/* The clock page at SHARED_BASE, written by the host (host/clock.c), read by the vDSO and the
 * runtime. Seqlock: odd while being written; every value it ever takes is unique to this host
 * process, so a reader that was moved in the middle of a read sees a change and reads again. */
struct om_clock_page {
    volatile uint64_t sequence;
    uint64_t tsc_base;     /* TSC at which the two readings below were true */
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC of the host */
    uint64_t realtime_ns;  /* CLOCK_REALTIME of the host */
    uint32_t multiplier;   /* ns = (tsc - tsc_base) * multiplier >> shift */
    uint32_t shift;
    uint32_t valid;            /* 0: the TSC is not usable, ask the kernel */
    uint32_t cpu_number_valid; /* 1: the limit of segment 0x7b is processor and node number */
    uint64_t boottime_minus_monotonic_ns;
};

struct ecall_create {
    uint32_t version; /* OM_BOUNDARY_VERSION */
    uint32_t log_level;
    const struct host_calls *calls;
    uint32_t host_fd_base; /* file descriptors from here up belong to the host */
    uint32_t nofile_soft;  /* what RLIMIT_NOFILE the program is to see */
    uint32_t process_id;   /* of the host process */
    uint32_t privileged;   /* 1: may use userfaultfd for kernel faults */
    int32_t log_fd;        /* where app threads write log lines; -1: nowhere */
    uint32_t quiet;
    uint32_t logged;       /* 1: standard output and error are the log of the daemon */
    uint32_t platform;     /* its number in the hello; the evidence decides */
    uint32_t has_fsgsbase; /* 1: the kernel lets programs use RDGSBASE (AT_HWCAP2) */
    char name[OM_NAME_MAX];
    uint8_t measurement[32]; /* SHA-256 of the runtime image, by the platform (sim: by the host) */
    /* What the enclave is to obey (attest/bundle.h); length 0: it obeys no policy, ever. */
    const void *bundle;
    uint64_t bundle_length;
    /* Program counters inside host/gate.S, see enclave/entry.S: an order to stop that arrives with
     * the counter in [begin, end) must not be followed by the system call at the end. */
    uint64_t blocking_begin, blocking_end, blocking_cancel;
    uint64_t sigreturn_begin, sigreturn_end;
    uint64_t restorer; /* of the runtime's signal handler */
};

/* Strings are NULL-terminated arrays in host memory, copied in by the enclave. */
struct ecall_start {
    const char *path; /* the executable, already looked up in PATH; absolute */
    const char *const *argv;
    const char *const *envp;
    const char *cwd;
    const struct om_service *services;
    uint32_t service_count;     /* at most OM_SERVICES_MAX */
    uint64_t sigmask;           /* that the first thread starts with */
    uint32_t tracker;           /* enum om_tracker: for its moves, unless another is asked for */
    uint32_t audit;             /* 1: moves by the barrier tracker are audited */
    uint32_t slow_calls;        /* 1: every system call raises SIGSYS, none is patched */
    long result;                /* out: 0 or a negative errno */
    char reason[OM_REASON_MAX]; /* out: what is wrong with the executable */
};

struct ecall_move {
    uint32_t mode;        /* enum om_mode; source only */
    uint32_t tracker;     /* enum om_tracker; source only */
    uint32_t connections; /* enum om_connections; source only */
    uint32_t audit;       /* 1: the kernel tracker watches the barrier; source only */
    uint32_t check_only;  /* 1: find out what is in the way, and move nothing; source only */
    uint32_t reserved;
    uint64_t max_downtime_us;
    uint64_t deadline_us; /* 0: none */
    uint64_t session;     /* chosen by the source daemon; public */
    const void *bundle;   /* as at creation, as it is now */
    uint64_t bundle_length;
    char peer[OM_PEER_MAX];       /* address of the other host */
    struct om_move_report report; /* out */
};

struct ecall_pager {
    long result;
};

struct ecall_inspect {
    uint64_t memory_bytes;
    uint32_t threads;
    uint32_t fds;
    uint64_t syscalls;    /* dispatched so far */
    uint64_t unsupported; /* calls answered ENOSYS */
    char command[256];
};
