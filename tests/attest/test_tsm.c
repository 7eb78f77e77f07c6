/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's configfs-tsm interface, played by a directory of FIFOs and a process behind them: each
 * attribute waits for its reader or writer, as the kernel answers in its system calls, so the order
 * in which they are used is tested too.
 */
#include "tests/attest/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/tsm.h"

enum { SECONDS_MAX = 20 };

/* What the kernel does in one request; NULL ends it. */
struct step {
    const char *attribute;
    const char *answer; /* of what is read; NULL for inblob and outblob */
    bool tampered;      /* outblob: over other bytes */
};

static const struct step g_good[] = {{"generation", "0\n", false},
                                     {"inblob", NULL, false},
                                     {"provider", "sev_guest\n", false},
                                     {"outblob", NULL, false},
                                     {"auxblob", "certificates", false},
                                     {"generation", "1\n", false},
                                     {NULL, NULL, false}};
static const struct step g_conflict[] = {
    {"generation", "0\n", false}, {"inblob", NULL, false}, {"provider", "sev_guest\n", false},
    {"outblob", NULL, false},     {"auxblob", "", false},  {"generation", "2\n", false},
    {NULL, NULL, false}};
static const struct step g_no_auxblob[] = {
    {"generation", "7\n", false}, {"inblob", NULL, false},      {"provider", "sev_guest\n", false},
    {"outblob", NULL, false},     {"generation", "8\n", false}, {NULL, NULL, false}};
static const struct step g_other_bytes[] = {
    {"generation", "0\n", false}, {"inblob", NULL, false}, {"provider", "sev_guest\n", false},
    {"outblob", NULL, true},      {"auxblob", "", false},  {"generation", "1\n", false},
    {NULL, NULL, false}};
static const struct step g_no_number[] = {{"generation", "many\n", false}, {NULL, NULL, false}};
static const struct step g_empty[] = {{NULL, NULL, false}};

static const struct step *g_requests[4]; /* of each request, in order */
static unsigned g_made, g_removed;
static pid_t g_kernel;
static char g_root[] = "/tmp/optmig-tsm.XXXXXX";
static struct tsm_evidence g_evidence;
static char g_reason[TSM_REASON_bytes];

static void put_all(int fd, const void *bytes, size_t length)
{
    if (write(fd, bytes, length) != (ssize_t)length)
        _exit(1);
}

static void put_report(int fd, const uint8_t data[64], bool tampered)
{
    uint8_t report[SNP_REPORT_SIZE] = {2};
    report[10] = 2;
    report[0x34] = 1;
    memcpy(&report[0x50], data, 64);
    report[0x50] ^= tampered;
    put_all(fd, report, sizeof report);
}

static void play(const char *entry, const struct step *steps)
{
    uint8_t data[64] = {0};
    alarm(SECONDS_MAX);
    for (; steps->attribute; steps++) {
        char path[4096];
        bool takes = strcmp(steps->attribute, "inblob") == 0;
        snprintf(path, sizeof path, "%s/%s", entry, steps->attribute);
        int fd = open(path, takes ? O_RDONLY : O_WRONLY);
        if (fd < 0)
            _exit(1);
        if (takes && read(fd, data, sizeof data) != sizeof data)
            _exit(1);
        if (steps->answer)
            put_all(fd, steps->answer, strlen(steps->answer));
        else if (!takes)
            put_report(fd, data, steps->tampered);
        close(fd);
    }
    _exit(0);
}

static int make(const char *entry)
{
    const struct step *steps = g_requests[g_made];
    if (mkdir(entry, 0700))
        return -1;
    g_made++;
    for (const struct step *s = steps; s->attribute; s++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", entry, s->attribute);
        if (mkfifo(path, 0600) && errno != EEXIST)
            return -1;
    }
    g_kernel = fork();
    if (g_kernel == 0)
        play(entry, steps);
    return g_kernel < 0 ? -1 : 0;
}

/* The kernel's side has come to its end too: everything was asked that it waits for. */
static int end(const char *entry)
{
    static const char *const names[] = {"generation", "inblob", "provider", "outblob", "auxblob"};
    int status;
    assert_int_equal(waitpid(g_kernel, &status, 0), g_kernel);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", entry, names[i]);
        unlink(path);
    }
    g_removed++;
    return rmdir(entry);
}

static int report(const struct step *first, const struct step *second, const struct step *third)
{
    const struct tsm_directory fake = {.path = g_root, .make = make, .remove = end};
    uint8_t data[64];
    memset(data, 0xda, sizeof data);
    g_requests[0] = first;
    g_requests[1] = second;
    g_requests[2] = third;
    g_made = g_removed = 0;
    int error = tsm_report(&fake, data, &g_evidence, g_reason);
    assert_int_equal(g_made, g_removed); /* nothing is left behind */
    return error;
}

static void test_a_report_is_read(void **state)
{
    (void)state;
    assert_int_equal(report(g_good, NULL, NULL), 0);
    assert_string_equal(g_evidence.provider, "sev_guest");
    assert_int_equal(g_evidence.report_length, SNP_REPORT_SIZE);
    assert_int_equal(g_evidence.report[0x50], 0xda);
    assert_int_equal(g_evidence.certificates_length, strlen("certificates"));
    assert_memory_equal(g_evidence.certificates, "certificates", 12);
}

static void test_no_auxblob_is_no_error(void **state)
{
    (void)state;
    assert_int_equal(report(g_no_auxblob, NULL, NULL), 0);
    assert_int_equal(g_evidence.certificates_length, 0);
}

static void test_a_conflict_is_asked_again(void **state)
{
    (void)state;
    assert_int_equal(report(g_conflict, g_conflict, g_good), 0);
    assert_int_equal(g_made, 3);
    assert_int_equal(report(g_conflict, g_conflict, g_conflict), -EAGAIN);
    assert_non_null(strstr(g_reason, "generation"));
    assert_int_equal(g_evidence.report_length, 0);
}

static void test_a_report_over_other_bytes_is_refused(void **state)
{
    (void)state;
    assert_int_equal(report(g_other_bytes, NULL, NULL), -EBADMSG);
    assert_int_equal(g_evidence.report_length, 0);
}

static void test_what_is_not_there_is_named(void **state)
{
    static const struct tsm_directory nowhere = {"/nonexistent/tsm", make, end};
    uint8_t data[64] = {0};
    (void)state;
    assert_int_equal(report(g_no_number, NULL, NULL), -EPROTO);
    assert_non_null(strstr(g_reason, "generation"));
    assert_int_equal(report(g_empty, NULL, NULL), -ENOENT);
    g_requests[0] = g_good;
    g_made = 0;
    assert_int_equal(tsm_report(&nowhere, data, &g_evidence, g_reason), -ENOENT);
    assert_non_null(strstr(g_reason, "no configfs-tsm"));
}

static void test_a_name_that_is_taken_is_passed_over(void **state)
{
    char path[4096];
    (void)state;
    snprintf(path, sizeof path, "%s/optmig-%ld-0", g_root, (long)getpid());
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(report(g_good, NULL, NULL), 0);
    assert_int_equal(rmdir(path), 0);
}

static int set_up(void **state)
{
    (void)state;
    alarm(10 * SECONDS_MAX);
    return mkdtemp(g_root) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(g_root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_is_read),
        cmocka_unit_test(test_no_auxblob_is_no_error),
        cmocka_unit_test(test_a_conflict_is_asked_again),
        cmocka_unit_test(test_a_report_over_other_bytes_is_refused),
        cmocka_unit_test(test_what_is_not_there_is_named),
        cmocka_unit_test(test_a_name_that_is_taken_is_passed_over),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
