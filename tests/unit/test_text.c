/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's own string functions, formatting and random numbers.  The build renames those that
 * a libc has too (memcpy becomes runtime_memcpy, ...), so that both are here and can be compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enclave/random.h"

enum { ROOM = 700, MARGIN = 40 };

struct host_calls g_host;
struct host_facts g_facts;

static uint8_t g_bytes[2 * ROOM], g_model[2 * ROOM];

static void fill(void)
{
    for (size_t i = 0; i < sizeof(g_bytes); i++)
        g_bytes[i] = g_model[i] = (uint8_t)(i * 7 + i / 256);
}

static void check(void)
{
    for (size_t i = 0; i < sizeof(g_bytes); i++)
        assert_int_equal(g_bytes[i], g_model[i]);
}

/* Every length, every distance that matters, in both directions. */
static void test_move(void **state)
{
    (void)state;
    for (size_t length = 0; length < 330; length++) {
        for (int distance = -MARGIN; distance <= MARGIN; distance++) {
            size_t from = MARGIN, to = (size_t)(MARGIN + distance);
            uint8_t copy[ROOM];

            fill();
            for (size_t i = 0; i < length; i++)
                copy[i] = g_model[from + i];
            for (size_t i = 0; i < length; i++)
                g_model[to + i] = copy[i];
            assert_ptr_equal(memmove(g_bytes + to, g_bytes + from, length), g_bytes + to);
            check();
        }
    }
}

static void test_copy_and_set(void **state)
{
    (void)state;
    for (size_t length = 0; length < 600; length++) {
        fill();
        for (size_t i = 0; i < length; i++)
            g_model[ROOM + i] = g_model[3 + i];
        assert_ptr_equal(memcpy(g_bytes + ROOM, g_bytes + 3, length), g_bytes + ROOM);
        check();
        for (size_t i = 0; i < length; i++)
            g_model[5 + i] = 0xab;
        assert_ptr_equal(memset(g_bytes + 5, 0x1ab, length), g_bytes + 5);
        check();
    }
}

static void test_compare(void **state)
{
    (void)state;
    assert_int_equal(memcmp("abc", "abd", 2), 0);
    assert_true(memcmp("abc", "abd", 3) < 0);
    assert_true(memcmp("\xff", "\x01", 1) > 0);
    assert_int_equal(memcmp("a", "b", 0), 0);
    assert_int_equal(strlen(""), 0);
    assert_int_equal(strlen("four"), 4);
    assert_true(strcmp("a", "ab") < 0);
    assert_true(strcmp("\xff", "a") > 0);
    assert_int_equal(strcmp("same", "same"), 0);
    assert_int_equal(strncmp("same1", "same2", 4), 0);
    assert_true(strncmp("same1", "same2", 5) < 0);
    assert_int_equal(strncmp("a", "a", 9), 0);
    assert_null(strchr("abc", 'd'));
    assert_string_equal(strchr("abcb", 'b'), "bcb");
    assert_string_equal(strchr("abc", 0), "");
}

static void test_page_is_same(void **state)
{
    static _Alignas(4096) uint8_t page[4096], other[4096];

    (void)state;
    memset(page, 7, sizeof(page));
    memset(other, 7, sizeof(other));
    assert_true(page_is_same(page, other));
    for (size_t i = 0; i < sizeof(page); i++) {
        other[i] = 6;
        assert_false(page_is_same(page, other));
        other[i] = 7;
    }
    assert_true(page_is_same(page, other));
}

static void test_page_is_zero(void **state)
{
    static _Alignas(4096) uint8_t page[4096];

    (void)state;
    assert_true(page_is_zero(page));
    for (size_t i = 0; i < sizeof(page); i++) {
        page[i] = (uint8_t)(1 << i % 8);
        assert_false(page_is_zero(page));
        page[i] = 0;
    }
    assert_true(page_is_zero(page));
}

static void test_str_copy(void **state)
{
    char to[4] = "xyz";

    (void)state;
    assert_int_equal(str_copy(to, "ab", sizeof(to)), 2);
    assert_string_equal(to, "ab");
    assert_int_equal(str_copy(to, "abcdef", sizeof(to)), 6);
    assert_string_equal(to, "abc");
    assert_int_equal(str_copy(to, "q", 0), 1);
    assert_string_equal(to, "abc");
    assert_int_equal(str_copy(to, "q", 1), 1);
    assert_string_equal(to, "");
}

#define FORMATS(expected, ...)                                                                     \
    do {                                                                                           \
        char text_[80];                                                                            \
        int length_ = str_format(text_, sizeof(text_), __VA_ARGS__);                               \
        assert_string_equal(text_, expected);                                                      \
        assert_int_equal(length_, sizeof(expected) - 1);                                           \
    } while (0)

static void test_format(void **state)
{
    char small[6];

    (void)state;
    FORMATS("plain", "plain");
    FORMATS("a%b", "a%%b");
    FORMATS("x -1 4294967295 ff", "%c %d %u %x", 'x', -1, 4294967295U, 255);
    FORMATS("-9223372036854775808", "%ld", (long)INT64_MIN);
    FORMATS("18446744073709551615 ffffffffffffffff", "%lu %lx", UINT64_MAX, UINT64_MAX);
    FORMATS("7 0x10", "%zu %p", (size_t)7, (void *)16);
    FORMATS("[   7][007][7  ][-07]", "[%4d][%03d][%-3d][%03d]", 7, 7, 7, -7);
    FORMATS("[  ab][ab  ][ab][abc]", "[%4s][%-4s][%1s][%.3s]", "ab", "ab", "ab", "abcdef");
    FORMATS("[   42][4]", "[%*d][%.*s]", 5, 42, 1, "43");
    FORMATS("0 0", "%d %x", 0, 0);
    assert_int_equal(str_format(small, sizeof(small), "%s", "abcdefgh"), 8);
    assert_string_equal(small, "abcde");
    assert_int_equal(str_format(NULL, 0, "%d", 12345), 5);
}

/* RFC 8439, 2.3.2 */
static void test_chacha20(void **state)
{
    static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
    static const uint32_t expected[CHACHA20_BLOCK_words] = {
        0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033,
        0x9aaa2204, 0x4e6cd4c3, 0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
        0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
    };
    uint32_t key[CHACHA20_KEY_words], block[CHACHA20_BLOCK_words];

    (void)state;
    for (uint32_t i = 0; i < CHACHA20_KEY_words; i++)
        key[i] = 0x03020100 + 0x04040404 * i;
    random_chacha20_block(key, 1, nonce, block);
    assert_memory_equal(block, expected, sizeof(block));
}

/* Gross errors only: constant, repeated or unfilled output. */
static void test_random(void **state)
{
    static uint8_t bytes[64 * 1024 + 3];
    uint32_t count[256] = {0};
    uint64_t seen[64];

    (void)state;
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        count[bytes[i]]++;
    for (int i = 0; i < 256; i++) /* 256 expected; beyond 8 sigma on either side */
        assert_in_range(count[i], 128, 384);
    for (int i = 0; i < 64; i++) {
        random_bytes(&seen[i], sizeof(seen[i]));
        for (int k = 0; k < i; k++)
            assert_int_not_equal(seen[i], seen[k]);
    }
    bytes[5] = 77;
    random_bytes(bytes, 5);
    assert_int_equal(bytes[5], 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_move),         cmocka_unit_test(test_copy_and_set),
        cmocka_unit_test(test_compare),      cmocka_unit_test(test_page_is_zero),
        cmocka_unit_test(test_page_is_same), cmocka_unit_test(test_str_copy),
        cmocka_unit_test(test_format),       cmocka_unit_test(test_chacha20),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
