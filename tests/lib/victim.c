/* SPDX-License-Identifier: Apache-2.0 */
/* See victim.h. */
#include "tests/lib/victim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 32, ANSWER_MAX = 64 * 1024, FAILURES_SHOWN = 20, POLL_MS = 2 };

static int g_argc;
static char **g_argv;
static bool g_asked[ARGUMENTS_MAX];
static const char *g_dir;
static uint64_t g_begun_ns, g_run_ns;
static unsigned g_checks;
static volatile sig_atomic_t g_terminated;

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static char g_values[ANSWER_MAX], g_failures[ANSWER_MAX];
static unsigned long g_failed, g_failed_in_all;

uint64_t victim_clock_ns(int clock_id)
{
    struct timespec t;
    clock_gettime(clock_id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void victim_sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

uint64_t victim_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void victim_abort(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s: ", g_argc ? g_argv[0] : "victim");
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

const char *victim_text(const char *name, const char *fallback)
{
    size_t length = strlen(name);
    for (int i = 1; i < g_argc; i++) {
        if (!strncmp(g_argv[i], name, length) && g_argv[i][length] == '=') {
            g_asked[i] = true;
            return g_argv[i] + length + 1;
        }
    }
    return fallback;
}

long victim_number(const char *name, long fallback)
{
    const char *text = victim_text(name, NULL);
    if (!text)
        return fallback;
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end)
        victim_abort("%s=%s: not a number", name, text);
    return value;
}

bool victim_flag(const char *name)
{
    return victim_number(name, 0) != 0;
}

const char *victim_path(const char *leaf)
{
    static _Thread_local char path[4096];
    snprintf(path, sizeof path, "%s/%s", g_dir ? g_dir : "/tmp", leaf);
    return path;
}

static void on_term(int signal_number)
{
    g_terminated = signal_number;
}

void victim_begin(int argc, char **argv)
{
    if (argc > ARGUMENTS_MAX)
        victim_abort("too many arguments");
    g_argc = argc;
    g_argv = argv;
    g_dir = victim_text("dir", NULL);
    g_run_ns = (uint64_t)victim_number("seconds", 1) * 1000000000u;
    struct sigaction action = {.sa_handler = on_term};
    sigaction(SIGTERM, &action, NULL);
}

/* Written aside and renamed, so that whoever sees the name sees the whole. */
static void write_file(const char *leaf, const char *text)
{
    if (!g_dir) {
        fputs(text, stdout);
        return;
    }
    char aside[4096], final[4096];
    snprintf(final, sizeof final, "%s/%s", g_dir, leaf);
    snprintf(aside, sizeof aside, "%s/.%s", g_dir, leaf);
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t length = strlen(text), done = 0;
    while (fd >= 0 && done < length) {
        ssize_t n = write(fd, text + done, length - done);
        if (n <= 0)
            victim_abort("%s: %s", aside, strerror(errno));
        done += (size_t)n;
    }
    if (fd < 0 || close(fd) || rename(aside, final))
        victim_abort("%s: %s", aside, strerror(errno));
}

void victim_ready(void)
{
    for (int i = 1; i < g_argc; i++) {
        if (!g_asked[i])
            victim_abort("unknown argument: %s", g_argv[i]);
    }
    g_begun_ns = victim_clock_ns(CLOCK_MONOTONIC);
    write_file("ready", "");
}

static bool ordered(const char *leaf)
{
    return access(victim_path(leaf), F_OK) == 0;
}

enum victim_order victim_poll(void)
{
    if (g_terminated)
        return VICTIM_STOP;
    if (!g_dir) {
        uint64_t ran_ns = victim_clock_ns(CLOCK_MONOTONIC) - g_begun_ns;
        if (ran_ns >= g_run_ns)
            return VICTIM_STOP;
        return g_checks == 0 && ran_ns >= g_run_ns / 2 ? VICTIM_CHECK : VICTIM_GO_ON;
    }
    char leaf[32];
    snprintf(leaf, sizeof leaf, "check.%u", g_checks + 1);
    if (ordered(leaf))
        return VICTIM_CHECK;
    return ordered("stop") ? VICTIM_STOP : VICTIM_GO_ON;
}

bool victim_wait(void)
{
    for (;;) {
        enum victim_order order = victim_poll();
        if (order != VICTIM_GO_ON)
            return order == VICTIM_CHECK;
        victim_sleep_ms(POLL_MS);
    }
}

static void append(char *buffer, const char *format, va_list list)
{
    size_t used = strlen(buffer);
    int n = vsnprintf(buffer + used, ANSWER_MAX - used, format, list);
    if (n > 0 && used + (size_t)n < ANSWER_MAX - 1)
        strcat(buffer, "\n");
}

void victim_value(const char *key, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    pthread_mutex_lock(&g_lock);
    strncat(g_values, key, 200);
    strcat(g_values, "=");
    append(g_values, format, list);
    pthread_mutex_unlock(&g_lock);
    va_end(list);
}

void victim_fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    pthread_mutex_lock(&g_lock);
    g_failed_in_all++;
    if (g_failed++ < FAILURES_SHOWN) {
        strcat(g_failures, "FAIL ");
        append(g_failures, format, list);
    }
    pthread_mutex_unlock(&g_lock);
    va_end(list);
}

static void answer(const char *leaf)
{
    static char text[2 * ANSWER_MAX + 64];
    pthread_mutex_lock(&g_lock);
    if (g_failed)
        snprintf(text, sizeof text, "%s%sfailed %lu\n", g_values, g_failures, g_failed);
    else
        snprintf(text, sizeof text, "%sok\n", g_values);
    g_values[0] = g_failures[0] = 0;
    g_failed = 0;
    pthread_mutex_unlock(&g_lock);
    write_file(leaf, text);
}

void victim_answer(void)
{
    char leaf[32];
    snprintf(leaf, sizeof leaf, "result.%u", ++g_checks);
    answer(leaf);
}

int victim_finish(void)
{
    answer("result.stop");
    return g_failed_in_all ? 1 : 0;
}
