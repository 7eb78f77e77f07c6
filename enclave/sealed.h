/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealed channel between two enclaves: handshake, then messages on two streams (protocol/),
 * through the host's sockets.  Each direction of each stream is used by one thread.
 */
#pragma once

#include "enclave/runtime.h"
#include "protocol/protocol.h"

struct message {
    uint8_t type;
    uint32_t round;
    const uint8_t *body; /* valid until the next receive on this stream */
    size_t length;
};

/* First of all: nothing is sent or received yet. */
void sealed_create(void);
/* Hellos, and keys.  Whose keys they are has still to be shown (attestation.h): nothing of the
 * program may be sent before.  0 or -errno, see sealed_reason(). */
long sealed_open(uint8_t role, uint64_t session);
/* The two hellos of the open channel; no secrets are left in it. */
const struct handshake *sealed_handshake(void);
/* No thread uses the channel any more: forgets the keys. */
void sealed_close(void);

/* Did the channel break by what the network or the hosts did?  Then whoever uses it comes back, and
 * the session can go on over another one. */
bool sealed_sever(void);
/* No other thread uses the channel.  Waits for new connections to the same peer, and makes the keys
 * for them.  0; -EAGAIN: what came was no use, others may come; -errno: none will.  The first
 * record that opens is the proof that it is the peer. */
long sealed_reopen(const struct om_severed *severed);
/* The destination has heard the source say RESUME: no earlier attempt counts any more. */
void sealed_resumed(void);
/* Destination: START will not be taken any more, and whoever resumes is told so.  False: there was
 * nothing to withdraw from. */
bool sealed_withdraw(void);
/* The registry of starts has said so (claims.h): this destination will never start; this source
 * takes the program back. */
void sealed_denied(void);
bool sealed_revoked(void);
/* What the host is told when the next channel is waited for. */
void sealed_explain(const char *words);
bool sealed_broken(void); /* the channel, by what came over it or did not */
/* An error of this side, that another channel does not mend. */
void sealed_doom(void);

/* Where the body of the next message on this stream is to be written: RECORD_BODY_MAX bytes. */
uint8_t *sealed_body(uint32_t stream);
/* Sends what was written there.  0 or -errno. */
long sealed_send(uint32_t stream, uint8_t type, uint32_t round, size_t length);
/* Waits for the next message.  0 or -errno: -ECONNRESET when the peer is gone. */
long sealed_receive(uint32_t stream, struct message *out);
/* Says why this side ended the session, and does not wait: the peer said so first. */
void sealed_acknowledge(const char *text);
/* Says why this side ends the session (MESSAGE_ABORT, MESSAGE_REFUSE), if it can still be said, and
 * waits a little for the peer to read it. */
void sealed_give_up(uint8_t type, const char *text);
/* Something failed on this side, for good: nothing but ABORT is said any more, and
 * sealed_committed() does not change again. */
void sealed_fail(void);
/* A message is waiting, or the peer is gone. */
bool sealed_pending(uint32_t stream);

/* So far on the bulk stream, in this enclave's direction of interest: what START vouches for. */
void sealed_sent(uint64_t *out_records, uint8_t out_digest[32]);
/* The same at the receiver, up to the message before the last received. */
void sealed_received_before(uint64_t *out_records, uint8_t out_digest[32]);

uint64_t sealed_bytes_sent(void); /* all streams, on the wire */
bool sealed_committed(void);      /* START passed: session_committed() */
const char *sealed_reason(void);  /* words for the first error; "" when there was none */
