/* SPDX-License-Identifier: Apache-2.0 */
/* The load: one thread, one loop over all connections, until SIGTERM or SIGINT. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/demo/load.h"

enum {
    TICK_ns = 500000,
    SAMPLES_PER_RATE_s = 240, /* seconds at full rate that fit */
};
static const uint64_t SILENCE_LIMIT_ns = 90ull * 1000000000u;
static const uint64_t DRAIN_LIMIT_ns = 20ull * 1000000000u;

static volatile sig_atomic_t g_stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    g_stop = 1;
}

struct load {
    const struct options *options;
    struct connection connections[CONNECTIONS_MAX];
    struct samples samples;
    struct tally tally;
};

static void turn_once(struct load *load, bool issue)
{
    struct pollfd polls[CONNECTIONS_MAX];
    struct timespec tick = {.tv_nsec = TICK_ns};
    unsigned count = load->options->connections;
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);

    for (unsigned i = 0; i < count; i++) {
        struct connection *c = &load->connections[i];
        if (!c->redis)
            connection_open(c, load->options, now_ns);
        if (issue || c->issued < c->tail)
            connection_issue(c, load->options, issue ? now_ns : 0);
        polls[i] = (struct pollfd){.fd = -1};
        if (c->redis)
            polls[i] = (struct pollfd){
                .fd = c->redis->fd,
                .events = (short)(POLLIN | (connection_write(c) ? POLLOUT : 0)),
            };
    }
    if (ppoll(polls, count, &tick, NULL) <= 0)
        return;
    for (unsigned i = 0; i < count; i++)
        if (polls[i].fd >= 0 && polls[i].revents & (POLLIN | POLLERR | POLLHUP))
            connection_read(&load->connections[i], &load->samples, &load->tally);
}

static bool all_answered(const struct load *load)
{
    for (unsigned i = 0; i < load->options->connections; i++)
        if (load->connections[i].head != load->connections[i].tail)
            return false;
    return true;
}

/* Until the signal, then until every request has its answer. */
static bool turn_until_stopped(struct load *load)
{
    uint64_t answers = 0, answer_ns = load->samples.begin_ns, stop_ns = 0;
    bool told = false;
    while (!g_stop || !all_answered(load)) {
        turn_once(load, !g_stop);
        uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
        if (load->samples.count > answers) {
            answers = load->samples.count;
            answer_ns = now_ns;
        }
        if (g_stop && !stop_ns)
            stop_ns = now_ns;
        if (now_ns - answer_ns > SILENCE_LIMIT_ns ||
            (stop_ns && now_ns - stop_ns > DRAIN_LIMIT_ns)) {
            fprintf(stderr, "load: the server no longer answers\n");
            return false;
        }
        if (!told && answers > load->options->rate / 2 && load->options->ready_path) {
            FILE *ready = fopen(load->options->ready_path, "w");
            if (!ready || fclose(ready))
                fprintf(stderr, "load: %s: %s\n", load->options->ready_path, strerror(errno));
            told = true;
        }
    }
    return true;
}

static bool write_result(struct load *load, long keys)
{
    json_t *object = samples_to_json(&load->samples);
    json_t *rest =
        json_pack("{sI sI sI sI sI si si si}", "writes_acknowledged",
                  (json_int_t)load->tally.writes_acknowledged, "reads_checked",
                  (json_int_t)load->tally.reads_checked, "reconnects",
                  (json_int_t)load->tally.reconnects, "keys_read_back", (json_int_t)keys, "wrong",
                  (json_int_t)load->tally.failures, "rate", (int)load->options->rate, "connections",
                  (int)load->options->connections, "readers", (int)load->options->readers);
    json_object_update(object, rest);
    int written = json_dump_file(object, load->options->out_path, JSON_COMPACT);
    json_decref(rest);
    json_decref(object);
    if (written)
        fprintf(stderr, "load: cannot write %s\n", load->options->out_path);
    return !written;
}

static bool load_create(struct load *load, const struct options *options)
{
    load->options = options;
    if (samples_create(&load->samples, (uint64_t)options->rate * SAMPLES_PER_RATE_s))
        return false;
    for (unsigned i = 0; i < options->connections; i++) {
        struct connection *c = &load->connections[i];
        connection_init(c, i, options, load->samples.begin_ns);
        if (!c->reader && !(c->key = calloc(WRITE_KEYS, sizeof(*c->key))))
            return false;
    }
    return true;
}

static void load_free(struct load *load)
{
    for (unsigned i = 0; i < load->options->connections; i++) {
        redisFree(load->connections[i].redis);
        free(load->connections[i].key);
    }
    samples_free(&load->samples);
    free(load);
}

int load_run(const struct options *options)
{
    struct sigaction action = {.sa_handler = on_stop};
    struct load *load = calloc(1, sizeof(*load));
    if (!load || !load_create(load, options)) {
        fprintf(stderr, "load: no memory\n");
        exit(3);
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    bool answered = turn_until_stopped(load);
    long keys = answered ? verify_writes(load->connections, options, &load->tally) : -1;
    bool written = write_result(load, keys);
    bool wrong = load->tally.failures != 0;
    load_free(load);
    return wrong ? 1 : keys < 0 || !written ? 3 : 0;
}
