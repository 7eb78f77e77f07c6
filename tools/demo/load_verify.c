/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run: is every write there that was acknowledged? */
#include <stdio.h>

#include "tools/demo/load.h"

enum { VERIFY_BATCH = 128 };

static bool verify_reply(const struct connection *c, unsigned number, const redisReply *reply,
                         struct tally *tally)
{
    const struct key_state *key = &c->key[number];
    uint32_t found = 0;
    if (reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "load: Redis says: %s\n", reply->str);
        return false;
    }
    if (reply->type == REDIS_REPLY_STRING &&
        !dataset_write_parse(c->number, number, reply->str, (size_t)reply->len, &found))
        load_failure(tally, "w:%u:%u holds no value of ours", c->number, number);
    else if (found < key->acknowledged || found > key->sent)
        load_failure(tally, "w:%u:%u holds write %u; acknowledged %u, sent %u", c->number, number,
                     found, key->acknowledged, key->sent);
    return true;
}

static bool verify_connection(redisContext *redis, const struct connection *c, struct tally *tally)
{
    for (unsigned first = 0; first < WRITE_KEYS; first += VERIFY_BATCH) {
        for (unsigned k = first; k < first + VERIFY_BATCH; k++) {
            char key[KEY_SIZE];
            dataset_write_key(c->number, k, key);
            redisAppendCommand(redis, "GET %s", key);
        }
        for (unsigned k = first; k < first + VERIFY_BATCH; k++) {
            redisReply *reply = NULL;
            if (redisGetReply(redis, (void **)&reply) != REDIS_OK) {
                fprintf(stderr, "load: reading back: %s\n", redis->errstr);
                return false;
            }
            bool answered = verify_reply(c, k, reply, tally);
            freeReplyObject(reply);
            if (!answered)
                return false;
        }
    }
    return true;
}

static bool command_ok(redisContext *redis, const char *command)
{
    redisReply *reply = redisCommand(redis, command);
    bool ok = reply && reply->type == REDIS_REPLY_STATUS;
    if (!ok)
        fprintf(stderr, "load: %s: %s\n", command,
                reply && reply->str ? reply->str : redis->errstr);
    freeReplyObject(reply);
    return ok;
}

long verify_writes(struct connection *connections, const struct options *options,
                   struct tally *tally)
{
    long keys = 0;
    redisContext *redis = load_connect(options);
    if (!redis)
        return -1;
    bool ok = command_ok(redis, "SELECT 1");
    for (unsigned i = 0; ok && i < options->connections; i++) {
        if (connections[i].reader)
            continue;
        ok = verify_connection(redis, &connections[i], tally);
        keys += WRITE_KEYS;
    }
    /* What remains is the data set as it was before the first write: its digest must be the same.
     */
    ok = ok && command_ok(redis, "FLUSHDB");
    redisFree(redis);
    return ok ? keys : -1;
}
