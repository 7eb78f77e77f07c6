/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's client of Redis.
 *   load fill   makes the data set that stays as it is (dataset.h)
 *   load run    writes and reads at a steady rate until SIGTERM, whatever becomes of its
 * connections; then reads back all it has written, empties database 1 and writes what it saw as
 * JSON It trusts nothing that it reads: every value is compared with what must be there. Exit
 * status: 0 all well, 1 data lost or wrong, 2 usage, 3 the server cannot be reached.
 */
#include "tools/demo/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILL_BATCH = 64 };

void load_failure(struct tally *tally, const char *format, ...)
{
    va_list arguments;
    if (tally->failures++ >= FAILURES_TOLD)
        return;
    fprintf(stderr, "load: WRONG: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

redisContext *load_connect(const struct options *options)
{
    redisContext *redis = redisConnect("127.0.0.1", (int)options->port);
    if (redis && !redis->err)
        return redis;
    fprintf(stderr, "load: cannot connect to 127.0.0.1:%u: %s\n", options->port,
            redis ? redis->errstr : "no memory");
    redisFree(redis);
    return NULL;
}

static bool take_ok(redisContext *redis)
{
    redisReply *reply = NULL;
    if (redisGetReply(redis, (void **)&reply) != REDIS_OK) {
        fprintf(stderr, "load: %s\n", redis->errstr);
        return false;
    }
    bool ok = reply->type == REDIS_REPLY_STATUS && !strcmp(reply->str, "OK");
    if (!ok)
        fprintf(stderr, "load: Redis says: %s\n", reply->str ? reply->str : "(no text)");
    freeReplyObject(reply);
    return ok;
}

static int load_fill(const struct options *options)
{
    uint64_t count = dataset_bulk_count(options->mib);
    redisContext *redis = load_connect(options);
    if (!redis)
        return 3;
    bool ok = true;
    for (uint64_t next = 0; ok && next < count;) {
        unsigned batch = 0;
        for (; batch < FILL_BATCH && next < count; batch++, next++) {
            char key[KEY_SIZE], value[BULK_VALUE_SIZE];
            dataset_bulk_key(next, key);
            dataset_bulk_value(next, value);
            redisAppendCommand(redis, "SET %s %b", key, value, sizeof(value));
        }
        while (ok && batch--)
            ok = take_ok(redis);
    }
    redisFree(redis);
    return ok ? 0 : 3;
}

static void usage(FILE *to)
{
    fprintf(to, "usage: load fill --port P --mib N\n"
                "       load run --port P --mib N --out FILE [--ready FILE] [--rate REQUESTS/S]\n"
                "                [--connections N] [--readers N] [--depth N]\n");
}

static bool parse_number(const char *text, unsigned low, unsigned high, unsigned *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (!*text || *end || value < low || value > high)
        return false;
    *out = (unsigned)value;
    return true;
}

static bool parse_option(struct options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--port"))
        return parse_number(value, 1, 65535, &o->port);
    if (!strcmp(name, "--mib"))
        return parse_number(value, 1, 1 << 20, &o->mib);
    if (!strcmp(name, "--rate"))
        return parse_number(value, 1, 10000000, &o->rate);
    if (!strcmp(name, "--connections"))
        return parse_number(value, 1, CONNECTIONS_MAX, &o->connections);
    if (!strcmp(name, "--readers"))
        return parse_number(value, 0, CONNECTIONS_MAX, &o->readers);
    if (!strcmp(name, "--depth"))
        return parse_number(value, 1, DEPTH_MAX, &o->depth);
    if (!strcmp(name, "--out"))
        return (o->out_path = value) != NULL;
    if (!strcmp(name, "--ready"))
        return (o->ready_path = value) != NULL;
    return false;
}

static bool parse(int argc, char **argv, struct options *out)
{
    *out = (struct options){.rate = 20000, .connections = 8, .readers = 2, .depth = 64};
    if (argc < 2 || argc % 2)
        return false;
    out->command = argv[1];
    for (int i = 2; i < argc; i += 2) {
        if (!parse_option(out, argv[i], argv[i + 1])) {
            fprintf(stderr, "load: %s %s is not right\n", argv[i], argv[i + 1]);
            return false;
        }
    }
    return out->port && out->mib && out->readers <= out->connections;
}

int main(int argc, char **argv)
{
    struct options options;
    if (parse(argc, argv, &options)) {
        if (!strcmp(options.command, "fill"))
            return load_fill(&options);
        if (!strcmp(options.command, "run") && options.out_path)
            return load_run(&options);
    }
    usage(stderr);
    return 2;
}
