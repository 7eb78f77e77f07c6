/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes: a ChaCha20 generator with fast key erasure, keyed and re-keyed from RDRAND at every
 * call.  RDRAND's output never leaves as it is, and a key never outlives the call that used it.
 *
 * Not one of BearSSL's generators: Debian builds those with a stack protector, whose canary is read
 * by way of FS, and on program threads FS is the program's (and null at its start).
 */
#include "enclave/random.h"

#include <cpuid.h>

enum { RDRAND_ATTEMPTS = 10, RDRAND_BIT = 1 << 30 };

static struct lock g_random_lock;
static uint32_t g_random_key[CHACHA20_KEY_words];

static void quarter_round(uint32_t s[16], int a, int b, int c, int d)
{
    s[a] += s[b];
    s[d] = (s[d] ^ s[a]) << 16 | (s[d] ^ s[a]) >> 16;
    s[c] += s[d];
    s[b] = (s[b] ^ s[c]) << 12 | (s[b] ^ s[c]) >> 20;
    s[a] += s[b];
    s[d] = (s[d] ^ s[a]) << 8 | (s[d] ^ s[a]) >> 24;
    s[c] += s[d];
    s[b] = (s[b] ^ s[c]) << 7 | (s[b] ^ s[c]) >> 25;
}

void random_chacha20_block(const uint32_t key[CHACHA20_KEY_words], uint32_t counter,
                           const uint32_t nonce[3], uint32_t out[CHACHA20_BLOCK_words])
{
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(start + 4, key, CHACHA20_KEY_words * sizeof(*key));
    start[12] = counter;
    memcpy(start + 13, nonce, 3 * sizeof(*nonce));
    memcpy(out, start, sizeof(start));
    for (int i = 0; i < 10; i++) {
        quarter_round(out, 0, 4, 8, 12);
        quarter_round(out, 1, 5, 9, 13);
        quarter_round(out, 2, 6, 10, 14);
        quarter_round(out, 3, 7, 11, 15);
        quarter_round(out, 0, 5, 10, 15);
        quarter_round(out, 1, 6, 11, 12);
        quarter_round(out, 2, 7, 8, 13);
        quarter_round(out, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++)
        out[i] += start[i];
}

/* CPUID leaves a virtual machine, so it is asked once. */
static bool cpu_has_rdrand(void)
{
    static volatile bool known;
    uint32_t a, b, c, d;

    if (!known)
        known = __get_cpuid(1, &a, &b, &c, &d) && (c & RDRAND_BIT);
    return known;
}

static uint64_t rdrand(void)
{
    for (int i = 0; i < RDRAND_ATTEMPTS; i++) {
        uint64_t value;
        uint8_t good;

        __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good) : : "cc");
        if (good)
            return value;
    }
    runtime_abort(__FILE__, __LINE__, "RDRAND gives no random numbers");
}

/* Mixes 256 bits of RDRAND into the key.  Some CPUs have returned a constant with success (after
 * resume from suspend): equal neighbours are taken as that, since chance gives them once in 2^64.
 */
static void rekey(uint32_t key[CHACHA20_KEY_words])
{
    uint64_t previous = rdrand();

    for (int i = 0; i < CHACHA20_KEY_words; i += 2) {
        uint64_t value = rdrand();

        if (value == previous)
            runtime_abort(__FILE__, __LINE__, "RDRAND repeats itself");
        key[i] ^= (uint32_t)value;
        key[i + 1] ^= (uint32_t)(value >> 32);
        previous = value;
    }
}

static void wipe(volatile uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words[i] = 0;
}

void random_bytes(void *out, size_t length)
{
    static const uint32_t nonce[3];
    uint32_t key[CHACHA20_KEY_words], block[CHACHA20_BLOCK_words];
    uint8_t *to = out;

    om_assert(cpu_has_rdrand());
    lock_take(&g_random_lock);
    rekey(g_random_key);
    random_chacha20_block(g_random_key, 0, nonce, block);
    memcpy(g_random_key, block, sizeof(g_random_key)); /* the key of the next call */
    memcpy(key, block + CHACHA20_KEY_words, sizeof(key));
    lock_release(&g_random_lock);

    for (uint32_t counter = 0; length > 0; counter++) {
        size_t part = OM_MIN(length, sizeof(block));

        random_chacha20_block(key, counter, nonce, block);
        memcpy(to, block, part);
        to += part;
        length -= part;
    }
    wipe(key, OM_ARRAY_LENGTH(key));
    wipe(block, OM_ARRAY_LENGTH(block));
}
