/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole wire format between two enclaves, and every limit.  Little-endian, no padding on the
 * wire.
 *
 * There are two streams, bulk and urgent.  First on the bulk stream, in clear, comes one hello each
 * way; everything else on both streams is sealed records, with keys of that one handshake, and the
 * first of them carry the evidence that the keys are those of enclaves:
 *
 *   offset size
 *        0    4  magic "OMR1"
 *        4    2  version (MESSAGES_VERSION)
 *        6    1  type (enum message_type)
 *        7    1  stream
 *        8    4  body length, without the tag
 *       12    4  round (pages, heads: in which round they were copied; else 0)
 *       16    8  counter: 0, 1, 2, ... per direction and stream; also the nonce
 *       24    -  body, encrypted with AES-256-GCM; the 24 bytes above are the associated data
 *        -   16  tag
 *
 * Nothing of a body is looked at before its tag verifies.  Version 999 means: not frozen.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGES_VERSION = 999,
    RECORD_HEADER_SIZE = 24,
    RECORD_TAG_SIZE = 16,
    PAGE_BATCH_MAX = 64, /* pages in one record */
    RECORD_BODY_MAX = 8 + PAGE_BATCH_MAX * (8 + 4096),
    RANGES_PER_RECORD_MAX = 16384, /* 16 bytes each */
    AREAS_PER_RECORD_MAX = 8192,   /* 32 bytes each */
    REQUEST_PAGES_MAX = 4096,      /* 8 bytes each */
    PAGE_HEAD_bytes = 256,         /* of a page, in HEADS */
    HEADS_PER_RECORD_MAX = 512,    /* 8 + PAGE_HEAD_bytes each */
    DESCRIPTION_MAX_bytes = 200 * 1024,
    REASON_MAX_bytes = 2048, /* of a text, its terminator counted (which is not sent) */
    XSAVE_SIZE_MAX_bytes = 64 * 1024,
    FD_BASE_MAX = 1 << 20,
    HELLO_bytes = 160,
    EVIDENCE_MAX_bytes = 64 * 1024,
    CERTIFICATES_MAX_bytes = 64 * 1024,
    RULES_MAX = 64, /* of a verdict */
    RULE_TEXT_MAX_bytes = 255,
    RULES_MAX_bytes = RULES_MAX * (4 + 3 * RULE_TEXT_MAX_bytes),
    ENCLAVE_ID_bytes = 16,
    HANDSHAKE_TIMEOUT_ms = 10000,
    RESUME_HELLO_bytes = 56,
    RECEIPT_BODY_bytes = 704,
    RECEIPT_FILE_MAX_bytes =
        RECEIPT_BODY_bytes + 16 + 2 * (EVIDENCE_MAX_bytes + CERTIFICATES_MAX_bytes),
    /* Nothing comes, or can be sent, from RESTORED on: the connection is given up for another one.
     */
    COMMITTED_STALL_ms = 10000,
    RECEIPT_TIMEOUT_ms = 3000, /* for the other side's part of the receipt */
};

/* The messages, their senders and streams stand in messages.def. */
#define MESSAGE(name, number, senders, streams, text) MESSAGE_##name = (number),
enum message_type {
    MESSAGE_NONE = 0,
#include "protocol/messages.def"
    MESSAGE_COUNT
};
#undef MESSAGE

enum { ROLE_SOURCE = 0, ROLE_DESTINATION = 1 };
enum { STREAM_BULK = 0, STREAM_URGENT = 1, STREAM_COUNT = 2 };

enum page_flag {
    PAGE_ZERO = 1, /* no contents follow: the page is zero (post-copy answers) */
};

/* Lists of ranges, areas and requested pages: u32 count, u32 zero, then the entries.  HEADS: the
 * same with page numbers, and then PAGE_HEAD_bytes of each page. */
struct message_range {          /* HUGE, DROP, LIST, MISSING; 16 bytes on the wire */
    uint64_t first_page, count; /* page numbers: address >> 12 */
};

struct message_area { /* LAYOUT; 32 bytes on the wire; kind and flags are the runtime's */
    uint64_t start, end;
    uint32_t prot, kind;
    uint32_t flags, reserved; /* reserved: 0 */
};

struct message_prepare { /* fields in this order; 160 bytes, then the description */
    uint64_t session;
    uint64_t memory_bytes;
    uint64_t xfeatures; /* XCR0 of the source: the destination must have all of them */
    uint32_t xsave_size;
    uint32_t mode;               /* enum om_mode */
    uint32_t fd_base_needed;     /* highest descriptor number in use, plus one */
    uint32_t description_length; /* follows */
    char name[64];               /* terminated, printable; the rest is zero */
    uint8_t enclave[ENCLAVE_ID_bytes];
    uint64_t generation;  /* of the start that this move leads to: 1 or more */
    uint8_t registry[32]; /* SHA-256 of the key of the registry of starts; zero: none */
};

struct message_start {     /* fields in this order; 80 bytes */
    uint64_t records_sent; /* on the bulk stream, this one not counted */
    uint8_t digest[32];    /* running SHA-256 over their tags (record_stream.digest) */
    uint64_t monotonic_ns; /* of the program, read last of all (again for START) */
    uint64_t boottime_ns;
    uint64_t listed_pages; /* still to come, in all */
    uint64_t round_trip_ns;
    uint32_t threads;  /* 1 or more */
    uint32_t reserved; /* 0 */
};

struct message_started { /* fields in this order; 40 bytes */
    uint64_t resume_us;  /* from the arrival of START to the release of the threads */
    uint64_t fds_us, threads_us, drop_us;
    uint64_t realtime_ns;
};

struct message_resumed {    /* fields in this order; 16 bytes */
    uint64_t missing_pages; /* in all MISSING before it */
    uint64_t resume_us;     /* as in STARTED */
};

struct message_whole { /* RECEIPT; fields in this order; 40 bytes */
    uint64_t realtime_ns;
    uint8_t policy[32]; /* SHA-256 of the text that the destination obeyed; zero: none */
};

/* SOURCE_EVIDENCE, DESTINATION_EVIDENCE and, without rules, ARRIVED and the end of DEPARTED: u32
 * lengths of evidence and certificates, u32 number of rules, u32 zero; then evidence, certificates,
 * rules.  The rules are the destination's verdict about the source: u8 passed, u8 lengths of name,
 * found, wanted, then these texts. */
struct message_evidence {
    uint32_t evidence_length, certificates_length, rule_count, rules_length;
    const uint8_t *evidence, *certificates, *rules; /* of a decoded one: into the body */
};

struct message_rule {
    bool pass;
    char name[RULE_TEXT_MAX_bytes + 1]; /* terminated and printable, as the other two */
    char found[RULE_TEXT_MAX_bytes + 1];
    char wanted[RULE_TEXT_MAX_bytes + 1];
};

/* ---- hello, in clear (handshake.c) ----
 *
 *   0  4  magic "OMH1"         20 32  nonce
 *   4  2  version              52 32  X25519 public key
 *   6  1  role                 84  4  capabilities
 *   7  1  platform             88 32  measurement of the runtime
 *   8  4  total length        120 32  SHA-256 of the policy's key; zero: it obeys no policy
 *  12  8  session             152  8  version of the policy
 */
struct hello {
    uint8_t role, platform;
    uint64_t session;
    uint8_t nonce[32];
    uint8_t public_key[32];
    uint32_t capabilities;
    uint8_t runtime[32];
    uint8_t policy_key[32];
    uint64_t policy_version;
};

/* ---- hello over a new connection of a session, in clear (resume.c) ----
 *
 *   0  4  magic "OMS1"          8  8  session
 *   4  2  version              16  8  attempt: the source's number of this connection
 *   6  1  role                 24 32  nonce
 *   7  1  0
 */

/* ---- receipt of a move (receipt.c): begins DEPARTED and the file ----
 *
 *   0   8  magic "OMRCPT01"            488  32  SHA-256 of the body of the enclave's last receipt;
 *   8   4  version                              zero: none
 *  12   4  mode (enum om_mode)         520   8  records sent on the bulk stream in all, and
 *  16  64  name, as in PREPARE         528  32  their digest (of the last channel)
 *  80 160  source's hello              560   4  channels that broke and were replaced
 * 240 160  destination's hello         564   4  0
 * 400  80  START, as it was sent       568  48  memory, pages, zero pages, pages after the start,
 * 480   8  moves of the enclave, this           on demand, bytes sent
 *          one too                     616  24  CLOCK_REALTIME: stop, start, all is there
 *                                      640  64  SHA-256 of both policies, the source's first
 *
 * The file: body, u32 lengths of evidence and certificates of source and destination, and these.
 */
struct receipt {
    uint32_t mode;
    char name[64]; /* terminated, printable; the rest is zero */
    struct hello source, destination;
    struct message_start start;
    uint64_t moves;
    uint8_t previous[32];
    uint64_t records_sent;
    uint8_t digest[32];
    uint32_t resumed;
    /* By the word of the source, and the clocks of its host and of the destination's. */
    uint64_t memory_bytes, pages, zero_pages, postcopy_pages, urgent_pages, bytes_sent;
    uint64_t stop_realtime_ns, start_realtime_ns;
    uint8_t source_policy[32];
    struct message_whole whole; /* by that of the destination */
};

struct receipt_file { /* of a decoded one: all into its bytes */
    const uint8_t *body;
    struct receipt receipt;
    struct message_evidence source, destination;
};
