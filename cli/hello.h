/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one line that a connection between two daemons begins with, in clear, and the line that
 * answers it.
 *
 *   OPTMIG 999 <session> <bulk|urgent|resume|resume-urgent|query> <enclave> <mode> <memory bytes>\n
 *   OK\n   or   REFUSE <reason>\n   or   STATE <receiving|running|complete|none>\n
 *
 * bulk and urgent begin a session, resume and resume-urgent go on with one whose connections broke
 * (STATE: it cannot), and a query asks how one ended (STATE): who asks does not go on with it.
 *
 * session is 16 hexadecimal digits.  After OK the connection belongs to the two enclaves; so these
 * lines are read to the newline and not a byte further.  All of it is written by whoever can reach
 * the port.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/boundary.h"

enum {
    HELLO_LINE_MAX_bytes = 256,
    ANSWER_LINE_MAX_bytes = 640,
    HELLO_TIMEOUT_ms = 10000,
};

enum hello_stream {
    HELLO_BULK = OM_STREAM_BULK,
    HELLO_URGENT = OM_STREAM_URGENT,
    HELLO_QUERY = OM_STREAM_COUNT,
    HELLO_RESUME,
    HELLO_RESUME_URGENT,
    HELLO_KINDS,
};

struct hello {
    uint64_t session;
    enum hello_stream stream;
    char name[OM_NAME_MAX];
    enum om_mode mode;
    uint64_t memory_bytes;
};

/* Writes the line.  Its length. */
size_t hello_format(const struct hello *hello, char *line, size_t size);
/* Parses a line without its newline.  On failure a reason that can be told to the other side. */
bool hello_parse(const char *line, struct hello *out, char *reason, size_t reason_size);

/* A line in the making. */
struct exact_line {
    char text[ANSWER_LINE_MAX_bytes];
    size_t length;
};

/* Reads on from a non-blocking socket up to the newline, never past it.  1: text is the line,
 * without newline; 0: there is more to come; -ECONNRESET: the other side closed; -EMSGSIZE: no
 * newline within limit; -errno. */
int exact_line_read(struct exact_line *line, int fd, size_t limit);
