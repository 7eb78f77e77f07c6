/* SPDX-License-Identifier: Apache-2.0 */
/* What optmig and optmigd parse: units, addresses, names, hello lines, lines of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/hello.h"
#include "cli/units.h"
#include "host/address.h"
#include "host/line.h"
#include "host/report.h"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t us;
    } cases[] = {
        {"20ms", true, 20000},    {"1.5s", true, 1500000},
        {"500us", true, 500},     {"2m", true, 120000000},
        {"1h", true, 3600000000}, {"0", true, 0},
        {"20", false, 0},         {"", false, 0},
        {"ms", false, 0},         {"-5ms", false, 0},
        {"1e3s", false, 0},       {"infs", false, 0},
        {"0x10s", false, 0},      {"1.2.3s", false, 0},
        {"20 ms", false, 0},      {"99999999999999999999999999999999999999h", false, 0},
        {".5s", false, 0},        {"9999999999999999h", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t us = 0;

        assert_int_equal(units_parse_duration(cases[i].text, &us), cases[i].good);
        assert_int_equal(us, cases[i].us);
    }
}

static void test_sizes(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_true(units_parse_size("512MiB", &bytes));
    assert_int_equal(bytes, 512ull << 20);
    assert_true(units_parse_size("1.5g", &bytes));
    assert_int_equal(bytes, 3ull << 29);
    assert_true(units_parse_size("1000", &bytes));
    assert_int_equal(bytes, 1000);
    assert_false(units_parse_size("12x", &bytes));
    assert_false(units_parse_size("9999999999T", &bytes));
    assert_false(units_parse_size("", &bytes));
}

static void test_addresses(void **state)
{
    static const char *const bad[] = {"",         ":1",    "a:",   "a",    "a:65536",    "a:1x",
                                      "::1:7702", "[::1]", "[]:1", "a:-1", "a:123456789"};
    char host[16], port[8];

    (void)state;
    assert_true(address_split("127.0.0.1:7702", host, sizeof(host), port, sizeof(port)));
    assert_string_equal(host, "127.0.0.1");
    assert_string_equal(port, "7702");
    assert_true(address_split("[::1]:1", host, sizeof(host), port, sizeof(port)));
    assert_string_equal(host, "::1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(address_split(bad[i], host, sizeof(host), port, sizeof(port)));
    assert_false(
        address_split("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1", host, sizeof(host), port, sizeof(port)));
}

static void test_names(void **state)
{
    char name[64], longest[65];

    (void)state;
    memset(longest, 'a', 64);
    longest[64] = 0;
    assert_false(units_valid_name(longest));
    assert_true(units_valid_name(longest + 1));
    assert_true(units_valid_name("redis-server.2_x"));
    assert_false(units_valid_name(""));
    assert_false(units_valid_name("-x"));
    assert_false(units_valid_name(".."));
    assert_false(units_valid_name("a/b"));
    assert_false(units_valid_name("a b"));
    units_name_of_program("/usr/bin/../redis server", name, sizeof(name));
    assert_string_equal(name, "redisserver");
    units_name_of_program("/x/--", name, sizeof(name));
    assert_string_equal(name, "program");
    units_name_of_program("..a", name, sizeof(name));
    assert_true(units_valid_name(name));
}

static void test_printable(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(units_printable("a\033[2Jb\n", text, sizeof(text)), "a?[2Jb?");
    assert_string_equal(units_printable("\303\244\377\300\257", text, sizeof(text)), "\303\244???");
    assert_string_equal(units_printable("\302\205", text, sizeof(text)), "??");
    assert_string_equal(units_printable("\355\240\200", text, sizeof(text)), "???");
    assert_string_equal(units_printable("\342\202", text, sizeof(text)), "??");
    units_printable("0123456789", text, 8);
    assert_true(strlen(text) < 8);
}

static void test_bytes(void **state)
{
    json_t *json = units_bytes_to_json("a\377b");
    char *back = units_bytes_from_json(json);

    (void)state;
    assert_true(json_is_object(json));
    assert_string_equal(back, "a\377b");
    free(back);
    json_decref(json);
    json = json_pack("{s:s}", "hex", "4100");
    assert_null(units_bytes_from_json(json));
    json_decref(json);
    json = json_pack("{s:s}", "hex", "4g");
    assert_null(units_bytes_from_json(json));
    json_decref(json);
    assert_null(units_bytes_from_json(NULL));
}

static void test_hello_round_trip(void **state)
{
    const struct hello hello = {.session = 0xfedcba9876543210,
                                .stream = HELLO_URGENT,
                                .name = "kv",
                                .mode = OM_MODE_STOPCOPY,
                                .memory_bytes = 123456789};
    char line[HELLO_LINE_MAX_bytes], reason[128];
    struct hello back;

    (void)state;
    hello_format(&hello, line, sizeof(line));
    assert_string_equal(line, "OPTMIG 999 fedcba9876543210 urgent kv stopcopy 123456789\n");
    line[strlen(line) - 1] = 0;
    assert_true(hello_parse(line, &back, reason, sizeof(reason)));
    assert_memory_equal(&hello, &back, sizeof(hello));
}

static void test_hello_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "GET / HTTP/1.1",
        "OPTMIG",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid 1 2",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid 1 ",
        "OPTMIG  999 fedcba9876543210 bulk kv hybrid 1",
        " OPTMIG 999 fedcba9876543210 bulk kv hybrid 1",
        "OPTMIG 998 fedcba9876543210 bulk kv hybrid 1",
        "OPTMIG 99999999999999999999999999 fedcba9876543210 bulk kv hybrid 1",
        "OPTMIG 999 fedcba987654321 bulk kv hybrid 1",
        "OPTMIG 999 FEDCBA9876543210 bulk kv hybrid 1",
        "OPTMIG 999 fedcba98765432100 bulk kv hybrid 1",
        "OPTMIG 999 fedcba9876543210 slow kv hybrid 1",
        "OPTMIG 999 fedcba9876543210 bulk ../kv hybrid 1",
        "OPTMIG 999 fedcba9876543210 bulk kv warp 1",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid -1",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid 9999999999999999999",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid 1\r",
        "OPTMIG 999 fedcba9876543210 bulk kv hybrid 0x1",
    };
    char reason[128], longest[400];
    struct hello back;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reason[0] = 0;
        assert_false(hello_parse(bad[i], &back, reason, sizeof(reason)));
        assert_true(reason[0] != 0);
    }
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = 0;
    assert_false(hello_parse(longest, &back, reason, sizeof(reason)));
    hello_parse("OPTMIG 998 fedcba9876543210 bulk kv hybrid 1", &back, reason, sizeof(reason));
    assert_non_null(strstr(reason, "version 998"));
}

/* Bytes changed at random: the parser must say no or give what is valid. */
static void test_hello_mutated(void **state)
{
    const char good[] = "OPTMIG 999 fedcba9876543210 bulk kv hybrid 4096";
    char line[sizeof(good)], reason[128];
    struct hello back;
    unsigned accepted = 0;

    (void)state;
    srandom(1);
    for (int i = 0; i < 100000; i++) {
        memcpy(line, good, sizeof(good));
        for (int j = 0; j < 1 + i % 3; j++)
            line[random() % (long)(sizeof(good) - 1)] = (char)random();
        if (!hello_parse(line, &back, reason, sizeof(reason)))
            continue;
        accepted++;
        assert_true(units_valid_name(back.name));
    }
    assert_true(accepted > 0);
}

static void test_exact_line(void **state)
{
    struct exact_line line = {.length = 0};
    char rest[8];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(exact_line_read(&line, pair[0], 64), 0);
    assert_int_equal(write(pair[1], "O", 1), 1);
    assert_int_equal(exact_line_read(&line, pair[0], 64), 0);
    assert_int_equal(write(pair[1], "K\nrest", 6), 6);
    assert_int_equal(exact_line_read(&line, pair[0], 64), 1);
    assert_string_equal(line.text, "OK");
    assert_int_equal(read(pair[0], rest, sizeof(rest)), 4);

    line.length = 0;
    assert_int_equal(write(pair[1], "012345678\n", 10), 10);
    assert_int_equal(exact_line_read(&line, pair[0], 8), -EMSGSIZE);
    assert_int_equal(read(pair[0], rest, sizeof(rest)), 2);
    line.length = 0;
    assert_int_equal(write(pair[1], "a\0b\n", 4), 4);
    assert_int_equal(exact_line_read(&line, pair[0], 64), -EBADMSG);
    line.length = 0;
    close(pair[1]);
    assert_int_equal(exact_line_read(&line, pair[0], 64), -ECONNRESET);
    close(pair[0]);
}

static void test_json_lines(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "1", "{\"a\":1,\"a\":2}", "{}x", "\xff"};
    char reason[128];
    json_t *object;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(line_parse(bad[i], strlen(bad[i]), reason, sizeof(reason)));
    object = line_parse("{\"a\":\"b\",\"n\":2}", 15, reason, sizeof(reason));
    assert_string_equal(line_text(object, "a", ""), "b");
    assert_string_equal(line_text(object, "n", "none"), "none");
    assert_true(line_number(object, "n", 0) == 2);
    json_decref(object);
}

/* Lines in pieces and several at once, with two descriptors that come with the second. */
static void test_line_transport(void **state)
{
    struct line_writer writer = {0};
    struct line_reader reader = {0};
    int pair[2], fds[LINE_FDS_MAX];
    size_t length;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(write(pair[1], "{\"a\"", 4), 4);
    assert_int_equal(line_fill(&reader, pair[0]), 4);
    assert_null(line_next(&reader, &length));
    assert_int_equal(write(pair[1], ":1}\n", 4), 4);
    assert_int_equal(line_send_fds(&writer, pair[1], json_pack("{s:i}", "b", 2), pair), 0);
    while (line_fill(&reader, pair[0]) > 0)
        ;
    assert_string_equal(line_next(&reader, &length), "{\"a\":1}");
    assert_true(line_take_fds(&reader, fds));
    assert_string_equal(line_next(&reader, &length), "{\"b\":2}");
    assert_null(line_next(&reader, &length));
    assert_false(line_take_fds(&reader, fds));
    assert_true(fds[0] != pair[0] && fds[1] != pair[1]);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        close(pair[i]);
    }
    line_reader_free(&reader);
    line_writer_free(&writer);
}

static void test_line_too_long(void **state)
{
    static char zeros[65536];
    struct line_reader reader = {0};
    struct line_writer writer = {0};
    int pair[2];
    long got = 0;
    char *long_text = malloc(LINE_MAX_bytes + 1);

    (void)state;
    memset(zeros, 'x', sizeof(zeros));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    while (got != -EMSGSIZE) {
        assert_true(write(pair[1], zeros, sizeof(zeros)) > 0);
        do
            got = line_fill(&reader, pair[0]);
        while (got > 0);
        assert_true(got == -EAGAIN || got == -EMSGSIZE);
    }
    assert_true(reader.end - reader.start < 2u * LINE_MAX_bytes);
    memset(long_text, 'x', LINE_MAX_bytes);
    long_text[LINE_MAX_bytes] = 0;
    assert_int_equal(line_append(&writer, json_pack("{s:s}", "a", long_text)), -EMSGSIZE);
    assert_int_equal(line_pending(&writer), 0);
    free(long_text);
    line_reader_free(&reader);
    line_writer_free(&writer);
    close(pair[0]);
    close(pair[1]);
}

static void test_report(void **state)
{
    struct om_move_report report = {.result = OM_RESULT_MOVED,
                                    .memory_bytes = 1 << 30,
                                    .pages = 1000,
                                    .total_us = 500000,
                                    .downtime_us = 1234,
                                    .phase_reached = OM_PHASE_DONE};
    static const char *const keys[] = {"memory_bytes",
                                       "pages",
                                       "rounds",
                                       "bytes_sent",
                                       "total_ms",
                                       "downtime_ms",
                                       "stop_ms",
                                       "capture_ms",
                                       "transfer_ms",
                                       "commit_ms",
                                       "resume_ms",
                                       "postcopy_ms",
                                       "postcopy_pages",
                                       "throughput_bytes_per_s",
                                       "result",
                                       "reason",
                                       "zero_pages",
                                       "urgent_pages",
                                       "switchover_pages",
                                       "prepare_ms",
                                       "precopy_ms",
                                       "stop_realtime_ns",
                                       "resume_realtime_ns",
                                       "phase_reached"};
    json_t *json = report_to_json(&report);

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_non_null(json_object_get(json, keys[i]));
    assert_string_equal(line_text(json, "result", ""), "moved");
    assert_true(line_number(json, "downtime_ms", 0) == 1.234);
    assert_true(line_number(json, "throughput_bytes_per_s", 0) == 8192000);
    json_decref(json);
    strcpy(report.reason, "bad \xff byte");
    json = report_to_json(&report);
    assert_string_equal(line_text(json, "reason", ""), "bad ? byte");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations),        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_addresses),        cmocka_unit_test(test_names),
        cmocka_unit_test(test_printable),        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_hello_round_trip), cmocka_unit_test(test_hello_refused),
        cmocka_unit_test(test_hello_mutated),    cmocka_unit_test(test_exact_line),
        cmocka_unit_test(test_json_lines),       cmocka_unit_test(test_line_transport),
        cmocka_unit_test(test_line_too_long),    cmocka_unit_test(test_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
