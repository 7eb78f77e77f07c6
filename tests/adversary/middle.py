# SPDX-License-Identifier: Apache-2.0
"""A man in the middle who does the handshake with each side himself, and hands on what evidence he gets.

He has keys with both sides, so he reads and writes their first records; what he lacks is evidence over
his own handshakes.
"""
import os
import struct
import sys
import threading

from relay import BACK, HEADER, OUT, TAG, Attack, beside

sys.path.insert(0, str(beside("protocol_vectors.py", "tests/unit").parent))
import protocol_vectors as v  # noqa: E402


class Half:
    """His channel with one of the two; he plays the other."""

    def __init__(self, peer_hello, like):
        # As the one he plays, but for nonce and key.
        secret, nonce = os.urandom(32), os.urandom(32)
        public = v.x25519(secret, bytes([9]) + bytes(31))
        self.hello = like[:20] + nonce + public + like[84:]
        self.secret, self.peer = secret, peer_hello

    def streams(self):
        """Keys of the bulk stream: of the source, of the destination."""
        hellos = [self.peer, self.hello] if self.peer[6] == v.SOURCE else [self.hello, self.peer]
        transcript = v.sha256(b"optmig transcript\0", *hellos)
        shared = v.x25519(self.secret, self.peer[52:84])
        return [v.hkdf(transcript, shared, b"optmig key     \0" + bytes([role, v.BULK])) for role in (v.SOURCE, v.DESTINATION)]


def open_record(key, role, frame):
    # Counter mode: to open is to seal again.
    counter = struct.unpack("<Q", frame[16:24])[0]
    body, _ = v.gcm_seal(key, struct.pack("<BBHQ", role, v.BULK, 0, counter), b"", frame[HEADER:-TAG])
    return body


class Middle(Attack):
    """He hands on the evidence of one side, as deed(evidence) makes it; the other's only as it is."""

    def __init__(self, label, way, deed, **settings):
        self.label, self.way, self.deed, self.hellos, self.halves = label, way, deed, {}, {}
        self.evidence, self.leaked, self.source_known = None, [], threading.Event()
        self.__dict__.update(settings)

    def hello(self, way, hello):
        # Both speak first, in either order; whom he plays to one he has to have heard from the other.
        self.hellos[way] = hello
        if way == OUT:
            self.halves[BACK] = Half(None, hello)
            self.source_known.set()
            return self.halves[BACK].hello
        self.source_known.wait(10)
        self.halves[BACK].peer = hello
        self.halves[OUT] = Half(self.hellos[OUT], hello)
        return self.halves[OUT].hello

    def record(self, way, record):
        if record.name not in ("SOURCE_EVIDENCE", "DESTINATION_EVIDENCE"):
            if record.name not in ("ABORT", "REFUSE"):
                self.leaked.append(record.name)
            return b""
        body = open_record(self.halves[way].streams()[way], way, record.frame)
        if way == self.way:
            self.hit()
            length = struct.unpack("<I", body[:4])[0]
            self.evidence = body[16 : 16 + length]
            body = body[:16] + self.deed(self.evidence) + body[16 + length :]
        stream = v.Stream(self.halves[1 - way].streams()[way], bytes(32), way, v.BULK)
        return stream.seal(record.type, 0, body)

    def end(self):
        assert not self.leaked, "he got %s" % self.leaked
