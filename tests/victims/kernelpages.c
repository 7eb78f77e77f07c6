/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that only system calls touch, never the program itself: their first access after a move is
 * the kernel's, reading them (write, pwrite, sendmsg) or writing into them (read, pread, recvmsg).
 * A page that is not there yet must be waited for, never answered with EFAULT.  The comparison
 * goes through a pipe too.  Each page is passed on by the kernel only: from page to pipe to page.
 *
 *   mib=64
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lib/victim.h"

enum { PAGE = 4096, PAGE_WORDS = 512, WINDOW_PAGES = 8 };

static uint64_t *g_memory, g_pages, g_generation;
static int g_pipe[2], g_socket[2], g_file;

static void make_contents(uint64_t *out, uint64_t page)
{
    for (uint64_t i = 0; i < PAGE_WORDS; i++)
        out[i] = victim_mix(page * PAGE_WORDS + i + (g_generation << 48));
}

static uint64_t *page_at(uint64_t page)
{
    return g_memory + page * PAGE_WORDS;
}

static void expect(ssize_t n, const char *call, uint64_t page)
{
    VICTIM_CHECK_THAT(n == PAGE, "%s at page %lu gave %zd (%s)", call, page, n, strerror(errno));
}

/* Out of a page by the kernel, by a call that depends on the page. */
static void kernel_reads(uint64_t page, void *out)
{
    struct iovec part = {page_at(page), PAGE};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    switch (page % 3) {
    case 0:
        expect(write(g_pipe[1], page_at(page), PAGE), "write", page);
        expect(read(g_pipe[0], out, PAGE), "read back", page);
        break;
    case 1:
        expect(sendmsg(g_socket[1], &message, 0), "sendmsg", page);
        expect(recv(g_socket[0], out, PAGE, MSG_WAITALL), "recv back", page);
        break;
    default:
        expect(pwritev(g_file, &part, 1, 0), "pwritev", page);
        expect(pread(g_file, out, PAGE, 0), "pread back", page);
    }
}

/* Into a page by the kernel. */
static void kernel_writes(uint64_t page, void *contents)
{
    struct iovec parts[2] = {{page_at(page), 1000}, {(char *)page_at(page) + 1000, PAGE - 1000}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    switch (page % 3) {
    case 0:
        expect(write(g_pipe[1], contents, PAGE), "fill a pipe", page);
        expect(readv(g_pipe[0], parts, 2), "readv", page);
        break;
    case 1:
        expect(send(g_socket[1], contents, PAGE, 0), "fill a socket", page);
        expect(recvmsg(g_socket[0], &message, MSG_WAITALL), "recvmsg", page);
        break;
    default:
        expect(pwrite(g_file, contents, PAGE, 0), "fill a file", page);
        expect(pread(g_file, page_at(page), PAGE, 0), "pread", page);
    }
}

/* Every other page is read before it is renewed, the others are written at once. */
static void check(void)
{
    uint64_t wrong = 0, first = g_generation & 1;
    uint64_t expected[PAGE_WORDS], found[PAGE_WORDS];
    for (uint64_t page = first; page < g_pages; page += 2) {
        make_contents(expected, page);
        memset(found, 0, sizeof found);
        kernel_reads(page, found);
        if (memcmp(expected, found, PAGE)) {
            wrong++;
            victim_fail("page %lu, touched by system calls only, has other contents", page);
        }
    }
    g_generation++;
    for (uint64_t page = 0; page < g_pages; page++) {
        make_contents(expected, page);
        kernel_writes(page, expected);
    }
    victim_value("pages", "%lu", g_pages / 2);
    victim_value("wrong", "%lu", wrong);
}

int main(int argc, char **argv)
{
    victim_begin(argc, argv);
    g_pages = (uint64_t)victim_number("mib", 64) << 8;
    g_memory =
        mmap(NULL, g_pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_file = open(victim_path("kernelpages.data"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (g_memory == MAP_FAILED || g_file < 0 || pipe(g_pipe) ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, g_socket))
        victim_abort("set-up: %s", strerror(errno));
    uint64_t contents[PAGE_WORDS];
    for (uint64_t page = 0; page < g_pages; page++) {
        make_contents(contents, page);
        kernel_writes(page, contents);
    }
    victim_ready();
    while (victim_wait()) {
        check();
        victim_answer();
    }
    check();
    unlink(victim_path("kernelpages.data"));
    return victim_finish();
}
