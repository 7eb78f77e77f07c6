/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the client.  Requests fall due at a steady rate, whether the server answers or
 * not, and a request's latency counts from when it was due: so a pause is seen by every request
 * that it delays, also by those that could not even be sent.
 *
 * A write is SET key value GET: its answer is the value that was there before.  That must be the
 * last acknowledged one, so a lost write is seen even if a later one covers it.
 */
#include <string.h>
#include <time.h>

#include "tools/demo/load.h"

enum { RETRY_ns = 2000000 };

void connection_init(struct connection *c, unsigned number, const struct options *options,
                     uint64_t now_ns)
{
    *c = (struct connection){.number = number, .reader = number < options->readers};
    c->interval_ns = 1000000000u * (uint64_t)options->connections / options->rate;
    c->next_due_ns = now_ns + c->interval_ns * number / options->connections;
}

void connection_open(struct connection *c, const struct options *options, uint64_t now_ns)
{
    if (now_ns < c->retry_ns)
        return;
    c->retry_ns = now_ns + RETRY_ns;
    redisContext *redis = redisConnectNonBlock("127.0.0.1", (int)options->port);
    if (!redis || redis->err) {
        redisFree(redis);
        return;
    }
    c->redis = redis;
    c->issued = c->head;
    c->selecting = true;
    redisAppendCommand(redis, "SELECT %d", c->reader ? 0 : 1);
}

void connection_lost(struct connection *c, struct tally *tally)
{
    redisFree(c->redis);
    c->redis = NULL;
    if (!c->selecting)
        tally->reconnects++;
}

static uint64_t pick_key(struct connection *c, uint64_t bulk_count)
{
    c->turn++;
    if (c->reader)
        return dataset_mix(c->turn << 8 | c->number) % bulk_count;
    /* All keys in turn, in a scattered order: none is in flight twice. */
    return c->turn * 2654435761u % WRITE_KEYS;
}

static void append_request(struct connection *c, struct request *r)
{
    char key[KEY_SIZE], value[WRITE_VALUE_SIZE];
    if (c->reader) {
        dataset_bulk_key(r->key, key);
        redisAppendCommand(c->redis, "GET %s", key);
        return;
    }
    r->sequence = ++c->key[r->key].sent;
    dataset_write_key(c->number, (unsigned)r->key, key);
    dataset_write_value(c->number, (unsigned)r->key, r->sequence, value);
    redisAppendCommand(c->redis, "SET %s %b GET", key, value, sizeof(value));
}

void connection_issue(struct connection *c, const struct options *options, uint64_t now_ns)
{
    uint64_t bulk_count = dataset_bulk_count(options->mib);
    while (c->next_due_ns <= now_ns && c->tail - c->head < options->depth) {
        c->ring[c->tail++ % DEPTH_MAX] =
            (struct request){.due_ns = c->next_due_ns, .key = pick_key(c, bulk_count)};
        c->next_due_ns += c->interval_ns;
    }
    if (!c->redis || c->selecting)
        return;
    while (c->issued < c->tail)
        append_request(c, &c->ring[c->issued++ % DEPTH_MAX]);
}

bool connection_write(struct connection *c)
{
    int done = 0;
    /* An error shows again at the next read, which is where it is handled. */
    return redisBufferWrite(c->redis, &done) == REDIS_OK && !done;
}

static void check_read(const struct request *r, const redisReply *reply, struct tally *tally)
{
    char expected[BULK_VALUE_SIZE];
    dataset_bulk_value(r->key, expected);
    if (reply->type == REDIS_REPLY_STRING && reply->len == sizeof(expected) &&
        !memcmp(reply->str, expected, sizeof(expected)))
        tally->reads_checked++;
    else
        load_failure(tally, "bulk:%lu is not what was written", r->key);
}

static void check_write(struct connection *c, const struct request *r, const redisReply *reply,
                        struct tally *tally)
{
    struct key_state *key = &c->key[r->key];
    uint32_t before = 0;
    if (reply->type == REDIS_REPLY_STRING) {
        if (!dataset_write_parse(c->number, (unsigned)r->key, reply->str, (size_t)reply->len,
                                 &before))
            load_failure(tally, "w:%u:%lu held no value of ours", c->number, r->key);
    } else if (reply->type != REDIS_REPLY_NIL) {
        load_failure(tally, "w:%u:%lu: Redis says: %s", c->number, r->key,
                     reply->type == REDIS_REPLY_ERROR ? reply->str : "(no string)");
        return;
    }
    if (before < key->acknowledged || before >= r->sequence)
        load_failure(tally, "w:%u:%lu: write %u was acknowledged, and write %u found %u", c->number,
                     r->key, key->acknowledged, r->sequence, before);
    key->acknowledged = r->sequence;
    tally->writes_acknowledged++;
}

static void take_reply(struct connection *c, const redisReply *reply, struct samples *samples,
                       struct tally *tally)
{
    if (c->selecting) {
        c->selecting = false;
        if (reply->type == REDIS_REPLY_ERROR)
            load_failure(tally, "SELECT: %s", reply->str);
        return;
    }
    const struct request *r = &c->ring[c->head % DEPTH_MAX];
    if (c->head == c->issued) {
        load_failure(tally, "connection %u got an answer that it did not ask for", c->number);
        return;
    }
    if (c->reader)
        check_read(r, reply, tally);
    else
        check_write(c, r, reply, tally);
    uint64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
    samples_add(samples, now_ns, now_ns - r->due_ns);
    c->head++;
}

void connection_read(struct connection *c, struct samples *samples, struct tally *tally)
{
    if (redisBufferRead(c->redis) != REDIS_OK) {
        connection_lost(c, tally);
        return;
    }
    for (;;) {
        redisReply *reply = NULL;
        if (redisReaderGetReply(c->redis->reader, (void **)&reply) != REDIS_OK) {
            load_failure(tally, "connection %u: %s", c->number, c->redis->reader->errstr);
            connection_lost(c, tally);
            return;
        }
        if (!reply)
            return;
        take_reply(c, reply, samples, tally);
        freeReplyObject(reply);
    }
}
