/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes on a control socket, or as the first line between two daemons.  The first byte says how
 * the stream is cut into pieces, and whether descriptors come with it.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/hello.h"
#include "host/line.h"
#include "host/report.h"

static int g_pair[2] = {-1, -1}, g_null = -1;

/* Every object that comes out is one that goes back in, the same. */
static void check_line(const char *line, size_t length)
{
    char reason[256] = "";
    json_t *object = line_parse(line, length, reason, sizeof(reason));

    if (!object) {
        ALWAYS(reason[0] && memchr(reason, 0, sizeof(reason)));
        return;
    }
    ALWAYS(json_is_object(object));
    (void)result_parse(line_text(object, "result", ""));
    (void)mode_parse(line_text(object, "mode", ""));
    (void)line_number(object, "id", 0);
    (void)line_flag(object, "audit");
    char *text = json_dumps(object, JSON_COMPACT);
    ALWAYS(text);
    json_t *again = line_parse(text, strlen(text), reason, sizeof(reason));
    ALWAYS(!again || json_equal(object, again));
    free(text);
    json_decref(again);
    json_decref(object);
}

static void send_piece(const uint8_t *bytes, size_t length, bool with_fds)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (with_fds) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        control.header = (struct cmsghdr){CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        ((int *)CMSG_DATA(&control.header))[0] = ((int *)CMSG_DATA(&control.header))[1] = g_null;
    }
    ALWAYS(sendmsg(g_pair[0], &message, 0) == (ssize_t)length);
}

static void read_all(struct line_reader *reader)
{
    size_t length;
    char *line;
    long got;

    while ((got = line_fill(reader, g_pair[1])) > 0)
        while ((line = line_next(reader, &length)) != NULL) {
            ALWAYS(line[length] == 0);
            check_line(line, length);
        }
    ALWAYS(got == -EAGAIN || got == -EMSGSIZE);
}

static void fuzz_lines(const uint8_t *data, size_t size, uint8_t how)
{
    struct line_reader reader = {0};
    size_t piece = (size_t)(how >> 2) * 16 + 1;
    int fds[LINE_FDS_MAX];

    for (size_t at = 0; at < size; at += piece) {
        send_piece(data + at, size - at < piece ? size - at : piece, at == 0 && (how & 2));
        read_all(&reader);
    }
    if (line_take_fds(&reader, fds)) {
        ALWAYS(size && (how & 2));
        close(fds[0]);
        close(fds[1]);
    }
    line_reader_free(&reader);
}

static void fuzz_hello_line(const uint8_t *data, size_t size)
{
    char line[HELLO_LINE_MAX_bytes], again[HELLO_LINE_MAX_bytes], reason[256] = "";
    struct hello hello, second;
    size_t length = size < sizeof(line) ? size : sizeof(line) - 1;

    memcpy(line, data, length);
    line[length] = 0;
    if (!hello_parse(line, &hello, reason, sizeof(reason))) {
        ALWAYS(reason[0]);
        return;
    }
    ALWAYS(memchr(hello.name, 0, sizeof(hello.name)) && hello.stream < HELLO_KINDS);
    length = hello_format(&hello, again, sizeof(again));
    ALWAYS(length && again[length - 1] == '\n');
    again[length - 1] = 0;
    ALWAYS(hello_parse(again, &second, reason, sizeof(reason)));
    ALWAYS(second.session == hello.session && second.stream == hello.stream &&
           second.memory_bytes == hello.memory_bytes && strcmp(second.name, hello.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (g_pair[0] < 0) {
        ALWAYS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, g_pair) == 0);
        g_null = open("/dev/null", O_RDONLY);
    }
    if (size < 2)
        return 0;
    if (data[0] & 1)
        fuzz_hello_line(data + 1, size - 1);
    else
        fuzz_lines(data + 1, size - 1, data[0]);
    return 0;
}
