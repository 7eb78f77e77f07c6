/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to seal and to open the records of a move (protocol/record.c), as bench/sealing
 * asks: seal [MIB].  Prints nanoseconds of processor time for each byte, of full records, one JSON
 * object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/protocol.h"

enum { MIB = 1 << 20, MESSAGE = MESSAGE_PAGES };

static uint8_t g_frame[RECORD_HEADER_SIZE + RECORD_BODY_MAX + RECORD_TAG_SIZE];

static double processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    static struct session_keys keys;
    static struct record_stream out, in;
    const size_t records = (size_t)(argc > 1 ? atoi(argv[1]) : 512) * MIB / RECORD_BODY_MAX;
    double seal = 0, open = 0, bytes = (double)records * RECORD_BODY_MAX;

    memset(&keys, 0x5a, sizeof(keys));
    record_stream_init(&out, &keys, ROLE_SOURCE, STREAM_BULK);
    record_stream_init(&in, &keys, ROLE_SOURCE, STREAM_BULK);
    for (size_t i = 0; i < records; i++) {
        struct record_header header;
        double begin = processor_ns(), middle;
        int size = record_seal(&out, MESSAGE, 0, g_frame, RECORD_BODY_MAX);

        middle = processor_ns();
        if (size < 0 || record_open(&in, g_frame, (size_t)size, &header)) {
            fprintf(stderr, "seal: a record is refused\n");
            return 1;
        }
        seal += middle - begin;
        open += processor_ns() - middle;
    }
    printf("{\"seal_ns_per_byte\": %.4f, \"open_ns_per_byte\": %.4f}\n", seal / bytes,
           open / bytes);
    return 0;
}
