/* SPDX-License-Identifier: Apache-2.0 */
/* See line.h. */
#include "host/line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_STEP_bytes = 16384 };

/* Makes room for more bytes behind end. */
static bool reserve(char **data, size_t *start, size_t *end, size_t *capacity, size_t more)
{
    size_t used = *end - *start, wanted = used + more;
    char *grown;

    if (*start && *start + wanted > *capacity) {
        memmove(*data, *data + *start, used);
        *start = 0;
        *end = used;
    }
    if (*end + more <= *capacity)
        return true;
    if (wanted < 2 * *capacity)
        wanted = 2 * *capacity;
    grown = realloc(*data, wanted);
    if (!grown)
        return false;
    *data = grown;
    *capacity = wanted;
    return true;
}

/* Keeps at most LINE_FDS_MAX descriptors; closes what nobody asked for. */
static void receive_fds(struct line_reader *reader, struct msghdr *message)
{
    struct cmsghdr *c;
    int fd;

    for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
            memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
            if (reader->fd_count < LINE_FDS_MAX)
                reader->fds[reader->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

long line_fill(struct line_reader *reader, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(LINE_FDS_MAX * sizeof(int))];
    } control;
    struct iovec part;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    size_t before = reader->start;
    ssize_t got;

    if (reader->end - reader->start >= LINE_MAX_bytes)
        return -EMSGSIZE;
    if (!reserve(&reader->data, &reader->start, &reader->end, &reader->capacity, READ_STEP_bytes))
        return -ENOMEM;
    reader->searched -= before - reader->start;
    part = (struct iovec){reader->data + reader->end, reader->capacity - reader->end};
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    receive_fds(reader, &message);
    reader->end += (size_t)got;
    return got;
}

char *line_next(struct line_reader *reader, size_t *out_length)
{
    char *newline, *line;

    if (reader->searched < reader->start)
        reader->searched = reader->start;
    if (reader->searched == reader->end)
        return NULL;
    newline = memchr(reader->data + reader->searched, '\n', reader->end - reader->searched);
    if (!newline) {
        reader->searched = reader->end;
        return NULL;
    }
    line = reader->data + reader->start;
    *newline = 0;
    *out_length = (size_t)(newline - line);
    reader->start = reader->searched = (size_t)(newline - reader->data) + 1;
    return line;
}

bool line_take_fds(struct line_reader *reader, int out_fds[LINE_FDS_MAX])
{
    if (reader->fd_count != LINE_FDS_MAX)
        return false;
    memcpy(out_fds, reader->fds, sizeof(reader->fds));
    reader->fd_count = 0;
    return true;
}

void line_reader_free(struct line_reader *reader)
{
    while (reader->fd_count)
        close(reader->fds[--reader->fd_count]);
    free(reader->data);
    *reader = (struct line_reader){0};
}

int line_append(struct line_writer *writer, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    size_t length = text ? strlen(text) : 0;
    int result = 0;

    json_decref(object);
    if (!text)
        return -ENOMEM;
    text[length++] = '\n'; /* In the place of the NUL. */
    if (length > LINE_MAX_bytes)
        result = -EMSGSIZE;
    else if (!reserve(&writer->data, &writer->start, &writer->end, &writer->capacity, length))
        result = -ENOMEM;
    if (!result) {
        memcpy(writer->data + writer->end, text, length);
        writer->end += length;
    }
    free(text);
    return result;
}

size_t line_pending(const struct line_writer *writer)
{
    return writer->end - writer->start;
}

int line_flush(struct line_writer *writer, int fd)
{
    ssize_t sent;

    while (line_pending(writer)) {
        sent = send(fd, writer->data + writer->start, line_pending(writer), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        writer->start += (size_t)sent;
    }
    writer->start = writer->end = 0;
    return 0;
}

void line_writer_free(struct line_writer *writer)
{
    free(writer->data);
    *writer = (struct line_writer){0};
}

int line_send_fds(struct line_writer *writer, int fd, json_t *object, const int fds[LINE_FDS_MAX])
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(LINE_FDS_MAX * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(LINE_FDS_MAX * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec part;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t sent;
    int error;

    if (line_pending(writer)) {
        json_decref(object);
        return -EAGAIN;
    }
    error = line_append(writer, object);
    if (error)
        return error;
    memcpy(CMSG_DATA(&control.header), fds, LINE_FDS_MAX * sizeof(int));
    part = (struct iovec){writer->data + writer->start, line_pending(writer)};
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        error = -errno;
        writer->start = writer->end = 0;
        return error;
    }
    writer->start += (size_t)sent;
    return 0;
}

json_t *line_parse(const char *line, size_t length, char *reason, size_t reason_size)
{
    json_error_t error;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);

    if (!object)
        snprintf(reason, reason_size, "not JSON: %s at byte %d", error.text, error.position);
    else if (!json_is_object(object))
        snprintf(reason, reason_size, "not a JSON object");
    else
        return object;
    json_decref(object);
    return NULL;
}

const char *line_text(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : fallback;
}

double line_number(const json_t *object, const char *key, double fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool line_flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}
