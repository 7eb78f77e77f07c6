/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects, one a line, over a local stream socket, with descriptors beside them: the control
 * protocol (docs/control.md) and the link between daemon and host process.  Used by all three
 * programs.  What is read comes from another process: it is bounded here and checked by the caller.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { LINE_MAX_bytes = 1 << 20, LINE_FDS_MAX = 2 };

struct line_reader {
    char *data;
    size_t start, end, capacity; /* unread bytes are data[start..end) */
    size_t searched;             /* no newline before this one */
    int fds[LINE_FDS_MAX];       /* received and not yet taken */
    int fd_count;
};

struct line_writer {
    char *data;
    size_t start, end, capacity;
};

/* Reads what is there.  Bytes read; 0 at the end of the stream; -EAGAIN; -EMSGSIZE when a line is
 * longer than LINE_MAX_bytes; another negative errno. */
long line_fill(struct line_reader *reader, int fd);
/* The next whole line, newline replaced by NUL, valid until the next fill; or NULL. */
char *line_next(struct line_reader *reader, size_t *out_length);
/* Gives the two descriptors that came with the lines so far to the caller. */
bool line_take_fds(struct line_reader *reader, int out_fds[LINE_FDS_MAX]);
void line_reader_free(struct line_reader *reader);

/* Appends one object as a line.  Takes the reference.  -EMSGSIZE if it is too long for a line. */
int line_append(struct line_writer *writer, json_t *object);
/* Sends what it can without waiting (unless the socket is blocking).  0 when all is sent, -EAGAIN,
 * or -errno. */
int line_flush(struct line_writer *writer, int fd);
size_t line_pending(const struct line_writer *writer);
void line_writer_free(struct line_writer *writer);

/* Sends one object with descriptors at once, on a link with nothing pending.  Takes the reference
 * to object, leaves the descriptors open.  What did not fit stays in the writer.  0 or -errno. */
int line_send_fds(struct line_writer *writer, int fd, json_t *object, const int fds[LINE_FDS_MAX]);

/* Parses a line that must be one JSON object; otherwise NULL and a reason. */
json_t *line_parse(const char *line, size_t length, char *reason, size_t reason_size);

/* Members of an object, with a fallback if absent or of another type. */
const char *line_text(const json_t *object, const char *key, const char *fallback);
double line_number(const json_t *object, const char *key, double fallback);
bool line_flag(const json_t *object, const char *key);
