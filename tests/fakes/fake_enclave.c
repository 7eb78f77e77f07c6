/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host process without an enclave, for tests of daemon, control.c and CLI (also under ASan, which
 * cannot live in the real one).  It implements host/host.h: the program is a child process; a move
 * exchanges bytes over the two sockets and starts the program anew at the destination.
 *
 * How a move goes is said by the environment: FAKE_SOURCE (of the program) and FAKE_DESTINATION (of
 * the daemon) name a point of the script below and what happens there:
 *
 *   refuse, fail, lost   as in refuse@prepare: report that result
 *   die                  as in die@precopy: kill this process
 *   exit                 as in exit@postcopy: the program ends by itself, with status 7
 *   hold                 as in hold@postcopy: wait until FAKE_GO exists, or for a cancel before the
 *                        commit point
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "host/receipt.h"
#include "host/relay_start.h"
#include "host/report.h"

enum {
    HOST_FDS_BASE = 200,
    CHUNK_bytes = 64 * 1024,
    CHUNKS = 32,
    COMMAND_bytes = 4096,
    HOLD_INTERVAL_ns = 2000000,
};

/* What one side says to the other: a letter and, for S, the command line. */
enum { SAY_PREPARE = 'P', SAY_READY = 'R', SAY_START = 'S', SAY_STARTED = 'T', SAY_RECEIPT = 'E' };

static struct {
    pid_t child;
    char command[COMMAND_bytes]; /* NUL-separated arguments, an empty one at the end */
    bool destination;
    volatile bool cancel, busy;
    struct move_options options;
    struct move_callbacks callbacks;
    struct om_move_report report;
} g_fake;

/* ---- The program ---- */

static _Noreturn void end_like_child(int status)
{
    sigset_t all;

    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
        sigfillset(&all);
        pthread_sigmask(SIG_UNBLOCK, &all, NULL);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* Signals to this process are for the program. */
static void *forward_signals(void *unused)
{
    sigset_t all;
    int signal;

    (void)unused;
    sigfillset(&all);
    while (sigwait(&all, &signal) == 0)
        kill(g_fake.child, signal);
    return NULL;
}

struct start {
    const char *path;
    char *const *argv;
    int error;
    sem_t done;
};

/* Becomes the child.  It dies with the thread that made it, so that no test leaves one behind. */
static _Noreturn void be_child(const struct start *start, int error_fd)
{
    sigset_t none;
    int error;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv(start->path, start->argv);
    error = errno;
    (void)!write(error_fd, &error, sizeof(error));
    _exit(127);
}

/* The thread that is the child's parent, from its start to its end. */
static void *keep_child(void *argument)
{
    struct start *start = argument;
    int error = 0, status, pipe_fds[2];

    if (pipe2(pipe_fds, O_CLOEXEC))
        abort();
    g_fake.child = fork();
    if (g_fake.child == 0)
        be_child(start, pipe_fds[1]);
    close(pipe_fds[1]);
    if (read(pipe_fds[0], &error, sizeof(error)) != (ssize_t)sizeof(error))
        error = g_fake.child < 0 ? EAGAIN : 0;
    close(pipe_fds[0]);
    start->error = error;
    sem_post(&start->done);
    if (error)
        return NULL;
    while (waitpid(g_fake.child, &status, 0) < 0 && errno == EINTR)
        ;
    end_like_child(status);
}

static int start_child(const char *path, char *const argv[])
{
    struct start start = {.path = path, .argv = argv};
    pthread_t thread;

    sem_init(&start.done, 0, 0);
    if (pthread_create(&thread, NULL, keep_child, &start) || pthread_detach(thread))
        abort();
    sem_wait(&start.done);
    sem_destroy(&start.done);
    if (start.error)
        return -start.error;
    if (pthread_create(&thread, NULL, forward_signals, NULL) || pthread_detach(thread))
        abort();
    return 0;
}

int enclave_create(const struct enclave_options *options, char reason[OM_REASON_MAX])
{
    sigset_t all;

    if (options->key_path && access(options->key_path, R_OK)) {
        snprintf(reason, OM_REASON_MAX, "host key %s: %s", options->key_path, strerror(errno));
        return -1;
    }
    if (getenv("FAKE_NO_ENCLAVE")) {
        snprintf(reason, OM_REASON_MAX, "no memory for an enclave (as the test asked)");
        return -1;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    return 0;
}

int enclave_start(const char *path, char *const argv[], char *const envp[], const char *cwd,
                  const struct om_service *services, uint32_t service_count,
                  char reason[OM_REASON_MAX])
{
    size_t at = 0;
    int error;

    (void)envp;
    (void)cwd;
    (void)services;
    (void)service_count;
    for (int i = -1; i < 0 || argv[i]; i++) {
        const char *word = i < 0 ? path : argv[i];

        if (at + strlen(word) + 2 > sizeof(g_fake.command))
            return -E2BIG;
        strcpy(g_fake.command + at, word);
        at += strlen(word) + 1;
    }
    error = start_child(path, argv);
    if (error)
        snprintf(reason, OM_REASON_MAX, "%s", strerror(-error));
    return error;
}

int host_fd_keep(int fd)
{
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, HOST_FDS_BASE);

    if (kept >= 0)
        close(fd);
    return kept;
}

void enclave_inspect(struct ecall_inspect *out)
{
    *out = (struct ecall_inspect){.memory_bytes = CHUNKS * CHUNK_bytes, .threads = 1, .fds = 3};
    for (const char *word = g_fake.command + strlen(g_fake.command) + 1; *word;
         word += strlen(word) + 1)
        snprintf(out->command + strlen(out->command), sizeof(out->command) - strlen(out->command),
                 "%s%s", out->command[0] ? " " : "", word);
}

void enclave_resume(const int fds[OM_STREAM_COUNT])
{
    for (int i = 0; i < OM_STREAM_COUNT; i++)
        close(fds[i]);
}

void enclave_orphan(long error)
{
    (void)error;
}

void enclave_cancel(void)
{
    g_fake.cancel = true;
}

/* ---- The script of a move ---- */

static bool stands_in_script(const char *what, const char *point)
{
    const char *script = getenv(g_fake.destination ? "FAKE_DESTINATION" : "FAKE_SOURCE");
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "%s@%s", what, point);
    return script && !strcmp(script, wanted);
}

static bool end_with(enum om_result result, const char *reason)
{
    g_fake.report.result = result;
    snprintf(g_fake.report.reason, sizeof(g_fake.report.reason), "%s", reason);
    return false;
}

static void hold(bool may_cancel)
{
    const struct timespec interval = {.tv_nsec = HOLD_INTERVAL_ns};
    const char *go = getenv("FAKE_GO");

    while (go && access(go, F_OK) && !(may_cancel && g_fake.cancel))
        nanosleep(&interval, NULL);
}

/* Enters a phase.  False: the move ends here, with the result that is in the report. */
static bool enter(enum om_phase phase)
{
    const struct om_progress progress = {.phase = phase,
                                         .round = 1,
                                         .bytes_sent = g_fake.report.bytes_sent,
                                         .bytes_remaining = CHUNK_bytes,
                                         .memory_bytes = CHUNKS * CHUNK_bytes,
                                         .elapsed_us = 1000};
    const char *point = phase_name((int)phase);
    /* The destination that has heard the start token cannot give up any more. */
    bool committed = phase >= (g_fake.destination ? OM_PHASE_SWITCHOVER : OM_PHASE_POSTCOPY);

    g_fake.report.phase_reached = phase;
    g_fake.callbacks.progress(&progress);
    if (stands_in_script("hold", point))
        hold(!committed);
    if (stands_in_script("die", point))
        kill(getpid(), SIGKILL);
    if (stands_in_script("exit", point))
        _exit(7); /* the program has, by itself */
    if (stands_in_script("refuse", point))
        return end_with(OM_RESULT_REFUSED, "refused, as the test asked");
    if (stands_in_script("fail", point))
        return end_with(OM_RESULT_FAILED, "failed, as the test asked");
    if (stands_in_script("lost", point))
        return end_with(OM_RESULT_LOST, "lost, as the test asked");
    if (g_fake.cancel && !committed)
        return end_with(OM_RESULT_FAILED, "cancelled");
    return true;
}

static bool say(char word)
{
    return send(g_fake.options.fds[0], &word, 1, MSG_NOSIGNAL) == 1;
}

static bool hear(char word)
{
    char heard;

    return recv(g_fake.options.fds[0], &heard, 1, MSG_WAITALL) == 1 && heard == word;
}

static bool send_chunks(int stream, int count)
{
    static char chunk[CHUNK_bytes];

    for (int i = 0; i < count; i++) {
        memset(chunk, i, sizeof(chunk));
        if (send(g_fake.options.fds[stream], chunk, sizeof(chunk), MSG_NOSIGNAL) !=
            (ssize_t)sizeof(chunk))
            return false;
        g_fake.report.bytes_sent += sizeof(chunk);
        g_fake.report.pages += sizeof(chunk) / OM_PAGE_SIZE;
    }
    return true;
}

static bool receive_chunks(int stream, int count)
{
    static char chunk[CHUNK_bytes];

    for (int i = 0; i < count; i++)
        if (recv(g_fake.options.fds[stream], chunk, sizeof(chunk), MSG_WAITALL) !=
                (ssize_t)sizeof(chunk) ||
            chunk[0] != (char)i || chunk[sizeof(chunk) - 1] != (char)i)
            return false;
    return true;
}

static bool move_out(void)
{
    if (!enter(OM_PHASE_PREPARE))
        return false;
    if (!say(SAY_PREPARE) || !hear(SAY_READY))
        return end_with(OM_RESULT_REFUSED, "the destination is not ready");
    if (!enter(OM_PHASE_PRECOPY))
        return false;
    if (!send_chunks(OM_STREAM_BULK, CHUNKS) || !hear(SAY_READY))
        return end_with(OM_RESULT_FAILED, "the destination has gone");
    kill(g_fake.child, SIGSTOP);
    if (!enter(OM_PHASE_SWITCHOVER)) {
        kill(g_fake.child, SIGCONT);
        return false;
    }
    if (!say(SAY_START) || send(g_fake.options.fds[0], g_fake.command, sizeof(g_fake.command),
                                MSG_NOSIGNAL) != (ssize_t)sizeof(g_fake.command)) {
        kill(g_fake.child, SIGCONT);
        return end_with(OM_RESULT_FAILED, "the destination has gone");
    }
    if (!hear(SAY_STARTED))
        return end_with(OM_RESULT_LOST, "the destination did not say that it has started");
    if (!enter(OM_PHASE_POSTCOPY))
        return false;
    if (!send_chunks(OM_STREAM_URGENT, 2) || !hear(SAY_RECEIPT))
        return end_with(OM_RESULT_LOST, "the destination has gone before its receipt");
    return enter(OM_PHASE_DONE);
}

static bool start_moved(void)
{
    char *argv[256];
    char *word = g_fake.command;
    size_t count = 0;

    for (; *word && count < 255; word += strlen(word) + 1)
        argv[count++] = word;
    argv[count] = NULL;
    return count >= 2 && start_child(argv[0], argv + 1) == 0;
}

static bool move_in(void)
{
    if (!enter(OM_PHASE_PREPARE) || !hear(SAY_PREPARE) || !say(SAY_READY))
        return end_with(OM_RESULT_FAILED, "the source has gone");
    if (!enter(OM_PHASE_PRECOPY) || !receive_chunks(OM_STREAM_BULK, CHUNKS))
        return end_with(OM_RESULT_FAILED, "the source has gone");
    if (g_fake.cancel)
        return end_with(OM_RESULT_FAILED, "cancelled at the destination");
    if (!say(SAY_READY) || !hear(SAY_START))
        return end_with(OM_RESULT_FAILED, "the source has gone");
    if (recv(g_fake.options.fds[0], g_fake.command, sizeof(g_fake.command), MSG_WAITALL) !=
        (ssize_t)sizeof(g_fake.command))
        return end_with(OM_RESULT_FAILED, "the source has gone");
    if (!enter(OM_PHASE_SWITCHOVER) || !start_moved())
        return end_with(OM_RESULT_FAILED, "the program does not start");
    if (!enter(OM_PHASE_POSTCOPY) || !say(SAY_STARTED) || !receive_chunks(OM_STREAM_URGENT, 2) ||
        !say(SAY_RECEIPT))
        return end_with(OM_RESULT_LOST, "the source has gone with pages missing");
    return enter(OM_PHASE_DONE);
}

static void *mover(void *unused)
{
    (void)unused;
    g_fake.report = (struct om_move_report){
        .memory_bytes = CHUNKS * CHUNK_bytes, .rounds = 1, .total_us = 100000, .downtime_us = 2500};
    if (g_fake.destination)
        move_in();
    else
        move_out();
    close(g_fake.options.fds[0]);
    close(g_fake.options.fds[1]);
    g_fake.busy = false;
    g_fake.callbacks.done(&g_fake.report);
    return NULL;
}

static int begin(const struct move_options *options, const struct move_callbacks *callbacks,
                 bool destination)
{
    pthread_t thread;

    if (g_fake.busy)
        return -EBUSY;
    g_fake.busy = true;
    g_fake.cancel = false;
    g_fake.destination = destination;
    g_fake.options = *options;
    g_fake.callbacks = *callbacks;
    return pthread_create(&thread, NULL, mover, NULL) || pthread_detach(thread) ? -EAGAIN : 0;
}

int enclave_move_out(const struct move_options *options, const struct move_callbacks *callbacks)
{
    return begin(options, callbacks, false);
}

int enclave_move_in(const struct move_options *options, const struct move_callbacks *callbacks)
{
    return begin(options, callbacks, true);
}

int relay_prepare(void)
{
    return 0;
}

/* Without an enclave there is nothing to put into a receipt. */
void receipt_keep_in(const char *dir)
{
    (void)dir;
}
