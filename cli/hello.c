/* SPDX-License-Identifier: Apache-2.0 */
/* See hello.h. */
#include "cli/hello.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/units.h"
#include "host/report.h"

enum { WORDS = 7 };

static const char *const g_streams[] = {"bulk", "urgent", "query", "resume", "resume-urgent"};

size_t hello_format(const struct hello *hello, char *line, size_t size)
{
    int length = snprintf(line, size, "OPTMIG %d %016" PRIx64 " %s %s %s %" PRIu64 "\n",
                          OM_BOUNDARY_VERSION, hello->session, g_streams[hello->stream],
                          hello->name, mode_name(hello->mode), hello->memory_bytes);

    return (size_t)length;
}

/* Exactly WORDS words with one space between. */
static bool split(char *line, char *words[WORDS])
{
    for (int i = 0; i < WORDS; i++) {
        char *space = strchr(line, ' ');

        words[i] = line;
        if (!*line || line[0] == ' ' || !space != (i == WORDS - 1))
            return false;
        if (space) {
            *space = 0;
            line = space + 1;
        }
    }
    return true;
}

static bool parse_decimal(const char *text, uint64_t *out)
{
    if (!*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

static bool parse_session(const char *text, uint64_t *out)
{
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return false;
    *out = strtoull(text, NULL, 16);
    return true;
}

static bool parse_stream(const char *text, enum hello_stream *out)
{
    for (int i = 0; i < HELLO_KINDS; i++) {
        if (!strcmp(text, g_streams[i])) {
            *out = (enum hello_stream)i;
            return true;
        }
    }
    return false;
}

bool hello_parse(const char *line, struct hello *out, char *reason, size_t reason_size)
{
    char copy[HELLO_LINE_MAX_bytes];
    char *words[WORDS];
    uint64_t version;
    int mode;

    memset(out, 0, sizeof(*out));
    snprintf(reason, reason_size,
             "this is a port of optmigd, and that was no line of its protocol");
    if (strlen(line) >= sizeof(copy))
        return false;
    strcpy(copy, line);
    if (!split(copy, words) || strcmp(words[0], "OPTMIG"))
        return false;
    if (!parse_decimal(words[1], &version))
        return false;
    if (version != OM_BOUNDARY_VERSION) {
        snprintf(reason, reason_size, "protocol version %" PRIu64 ", this host speaks %d", version,
                 OM_BOUNDARY_VERSION);
        return false;
    }
    mode = mode_parse(words[5]);
    if (!parse_session(words[2], &out->session) || !parse_stream(words[3], &out->stream) ||
        !units_valid_name(words[4]) || mode < 0 || !parse_decimal(words[6], &out->memory_bytes)) {
        snprintf(reason, reason_size, "malformed hello line");
        return false;
    }
    out->mode = (enum om_mode)mode;
    strcpy(out->name, words[4]);
    return true;
}

int exact_line_read(struct exact_line *line, int fd, size_t limit)
{
    for (;;) {
        char *at = line->text + line->length;
        size_t room = limit - line->length;
        ssize_t got;
        char *newline;

        if (!room)
            return -EMSGSIZE;
        got = recv(fd, at, room, MSG_PEEK | MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? -ECONNRESET : errno == EAGAIN ? 0 : -errno;
        newline = memchr(at, '\n', (size_t)got);
        got = recv(fd, at, newline ? (size_t)(newline - at) + 1 : (size_t)got, MSG_DONTWAIT);
        if (got <= 0)
            return got == 0 ? -ECONNRESET : -errno;
        line->length += (size_t)got;
        if (!newline)
            continue;
        line->text[line->length - 1] = 0;
        /* A NUL inside would hide the rest of the line from string functions. */
        return strlen(line->text) == line->length - 1 ? 1 : -EBADMSG;
    }
}
