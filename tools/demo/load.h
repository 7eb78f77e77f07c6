/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the demo's client: load.c (options, fill), load_run.c (the load), load_connection.c
 * (one connection, its requests and what it knows of them), load_verify.c (the reading back). */
#pragma once

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/demo/dataset.h"
#include "tools/demo/samples.h"

enum {
    WRITE_KEYS = 4096, /* of one connection; a power of two */
    DEPTH_MAX = 256,
    CONNECTIONS_MAX = 64,
    FAILURES_TOLD = 10,
};

struct options {
    const char *command, *out_path, *ready_path;
    unsigned port, mib, rate, connections, readers, depth;
};

struct tally {
    uint64_t writes_acknowledged, reads_checked, reconnects, failures;
};

struct request {
    uint64_t due_ns; /* when it should have been sent: the clock of its latency starts here */
    uint64_t key;
    uint32_t sequence;
};

/* What is known of one key: its value is that of a write in [acknowledged, sent]. */
struct key_state {
    uint32_t acknowledged, sent;
};

struct connection {
    unsigned number;
    bool reader;         /* of database 0; the others write to database 1 */
    redisContext *redis; /* NULL: not connected */
    bool selecting;      /* the answer to SELECT is still to come */
    uint64_t retry_ns;   /* when to connect again */
    uint64_t next_due_ns, interval_ns;
    uint64_t turn; /* of the requests made */
    /* Requests that wait for their answer, in order; those from `issued` on are not sent yet. */
    struct request ring[DEPTH_MAX];
    uint64_t head, issued, tail;
    struct key_state *key; /* WRITE_KEYS; NULL for readers */
};

/* load_connection.c */
void connection_init(struct connection *c, unsigned number, const struct options *options,
                     uint64_t now_ns);
void connection_open(struct connection *c, const struct options *options, uint64_t now_ns);
/* Makes the requests that are due and sends what can be sent. */
void connection_issue(struct connection *c, const struct options *options, uint64_t now_ns);
bool connection_write(struct connection *c); /* true: something is left to be written */
void connection_read(struct connection *c, struct samples *samples, struct tally *tally);
/* Forgets the connection; its unanswered requests will be sent again. */
void connection_lost(struct connection *c, struct tally *tally);

/* load_verify.c: reads back every key that was written. Counts into the tally; keys with a write
 * that was sent and never acknowledged may have either value.  Returns the number of keys read, -1:
 * error. */
long verify_writes(struct connection *connections, const struct options *options,
                   struct tally *tally);

/* load_run.c; 0 or an exit status */
int load_run(const struct options *options);

/* load.c */
redisContext *load_connect(const struct options *options);
void load_failure(struct tally *tally, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
