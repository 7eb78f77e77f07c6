#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden vectors of the protocol, made without the protocol library.

A second implementation of docs/protocol.md in plain Python (with X25519, HKDF, AES-256-GCM, ECDSA),
so that the vectors do not say what the C code does but what it has to do.

    protocol_vectors.py > protocol_vectors.h      then read the difference before it is committed
    protocol_vectors.py --check protocol_vectors.h
"""
import contextlib
import hashlib
import hmac
import io
import struct
import sys

VERSION = 999


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- X25519 (RFC 7748) ----

P25519 = 2**255 - 19


def x25519(scalar, point):
    k = int.from_bytes(scalar, "little")
    k = k & ~7 & ~(1 << 255) | 1 << 254
    u = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P25519, u * (da - cb) ** 2 % P25519
        x2, z2 = aa * bb % P25519, e * (aa + 121665 * e) % P25519
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P25519 - 2, P25519) % P25519).to_bytes(32, "little")


# ---- HKDF-SHA256 (RFC 5869), one block ----


def hkdf(salt, ikm, info):
    prk = hmac.digest(salt, ikm, "sha256")
    return hmac.digest(prk, info + b"\x01", "sha256")


# ---- AES-256-GCM ----


def xtime(a):
    return (a << 1 ^ (0x11B if a & 0x80 else 0)) & 0xFF


def make_sbox():
    power, p = [], 1
    for _ in range(255):
        power.append(p)
        p ^= xtime(p)
    box = []
    for a in range(256):
        b = power[-power.index(a) % 255] if a else 0
        box.append(0x63)
        for turn in range(5):
            box[a] ^= (b << turn | b >> 8 - turn) & 0xFF
    return box


SBOX = make_sbox()


def aes256_schedule(key):
    words, rcon = [list(key[i : i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        t = list(words[-1])
        if i % 8 == 0:
            t = [SBOX[b] for b in t[1:] + t[:1]]
            t[0] ^= rcon
            rcon = xtime(rcon)
        elif i % 8 == 4:
            t = [SBOX[b] for b in t]
        words.append([a ^ b for a, b in zip(words[i - 8], t)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


def aes256(schedule, block):
    state = [a ^ b for a, b in zip(block, schedule[0])]
    for number, key in enumerate(schedule[1:], 1):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for c in range(0, 16, 4):
                s = state[c : c + 4]
                whole = s[0] ^ s[1] ^ s[2] ^ s[3]
                mixed += [s[i] ^ whole ^ xtime(s[i] ^ s[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def gcm_multiply(x, y):
    z = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            z ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def gcm_seal(key, nonce, aad, plain):
    schedule = aes256_schedule(key)
    h = int.from_bytes(aes256(schedule, bytes(16)), "big")

    def stream(counter):
        return aes256(schedule, nonce + struct.pack(">I", counter))

    cipher = bytearray()
    for i in range(0, len(plain), 16):
        pad = stream(2 + i // 16)
        cipher += bytes(a ^ b for a, b in zip(plain[i : i + 16], pad))
    y = 0
    padded = aad + bytes(-len(aad) % 16) + bytes(cipher) + bytes(-len(cipher) % 16)
    padded += struct.pack(">QQ", 8 * len(aad), 8 * len(cipher))
    for i in range(0, len(padded), 16):
        y = gcm_multiply(y ^ int.from_bytes(padded[i : i + 16], "big"), h)
    tag = bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), stream(1)))
    return bytes(cipher), tag


# ---- ECDSA on P-256, deterministic (RFC 6979) ----

P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G256 = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def p256_add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P256 == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P256)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P256)
    x = (slope * slope - a[0] - b[0]) % P256
    return x, (slope * (a[0] - x) - a[1]) % P256


def p256_multiply(k, point):
    result = None
    while k:
        if k & 1:
            result = p256_add(result, point)
        point, k = p256_add(point, point), k >> 1
    return result


def ecdsa_sign(private, digest):
    key = private.to_bytes(32, "big")
    hashed = (int.from_bytes(digest, "big") % N256).to_bytes(32, "big")
    k, v = bytes(32), b"\x01" * 32
    for octet in b"\x00", b"\x01":
        k = hmac.digest(k, v + octet + key + hashed, "sha256")
        v = hmac.digest(k, v, "sha256")
    v = hmac.digest(k, v, "sha256")
    nonce = int.from_bytes(v, "big")
    assert 0 < nonce < N256
    r = p256_multiply(nonce, G256)[0] % N256
    s = pow(nonce, -1, N256) * (int.from_bytes(digest, "big") + r * private) % N256
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


# ---- the protocol ----

SESSION = 0x1122334455667788
SOURCE, DESTINATION = 0, 1
BULK, URGENT = 0, 1


class Side:
    def __init__(self, role, random, policy_version, capabilities=0, runtime=bytes(range(200, 232)),
                 policy_key=bytes(range(0, 96, 3))):
        self.role = role
        self.nonce, self.secret = random[:32], random[32:]
        self.public = x25519(self.secret, bytes([9]) + bytes(31))
        self.hello = (
            b"OMH1" + struct.pack("<HBBIQ", VERSION, role, 1, 160, SESSION)
            + self.nonce + self.public + struct.pack("<I", capabilities) + runtime + policy_key
            + struct.pack("<Q", policy_version)
        )

    def report_data(self, transcript):
        bound = bytes([self.role]) + transcript
        return sha256(b"optmig report 1\0", bound) + sha256(b"optmig report 2\0", bound)


class Stream:
    def __init__(self, key, digest, role, stream):
        self.key, self.digest, self.role, self.stream, self.counter = key, digest, role, stream, 0

    def seal(self, kind, round_number, body):
        header = b"OMR1" + struct.pack(
            "<HBBIIQ", VERSION, kind, self.stream, len(body), round_number, self.counter
        )
        nonce = struct.pack("<BBHQ", self.role, self.stream, 0, self.counter)
        cipher, tag = gcm_seal(self.key, nonce, header, body)
        self.counter += 1
        self.digest = sha256(self.digest, tag)
        return header + cipher + tag


def emit(name, data):
    print(f"static const uint8_t vector_{name}[{len(data)}] = {{")
    for i in range(0, len(data), 16):
        print("    " + ", ".join(f"0x{b:02x}" for b in data[i : i + 16]) + ",")
    print("};")


def emit_handshake():
    source = Side(SOURCE, bytes(range(64)), 7)
    destination = Side(DESTINATION, bytes(range(128, 192)), 8)
    transcript = sha256(b"optmig transcript\0", source.hello, destination.hello)
    shared = x25519(source.secret, destination.public)
    assert shared == x25519(destination.secret, source.public)
    emit("source_hello", source.hello)
    emit("destination_hello", destination.hello)
    emit("source_report_data", source.report_data(transcript))
    emit("destination_report_data", destination.report_data(transcript))
    emit("transcript", transcript)
    keys = {}
    for role, role_name in (SOURCE, "source"), (DESTINATION, "destination"):
        for stream, stream_name in (BULK, "bulk"), (URGENT, "urgent"):
            info = b"optmig key     \0" + bytes([role, stream])
            keys[role, stream] = hkdf(transcript, shared, info)
            emit(f"key_{role_name}_{stream_name}", keys[role, stream])
    digest = hkdf(transcript, shared, b"optmig session \0\0\0")
    emit("session_digest", digest)
    emit_resumption(hkdf(transcript, shared, b"optmig resume  \0\0\0"))
    return keys, digest


def resume_hello(role, attempt, nonce):
    return b"OMS1" + struct.pack("<HBBQQ", VERSION, role, 0, SESSION, attempt) + nonce


def emit_resumption(secret):
    source = resume_hello(SOURCE, 3, bytes(range(32)))
    destination = resume_hello(DESTINATION, 3, bytes(range(64, 96)))
    transcript = sha256(b"optmig resumed\0", source, destination)
    emit("resume_secret", secret)
    emit("resume_source_hello", source)
    emit("resume_destination_hello", destination)
    emit("resume_key_source_bulk", hkdf(transcript, secret, b"optmig key     \0" + bytes([SOURCE, BULK])))
    emit("resume_key_destination_urgent",
         hkdf(transcript, secret, b"optmig key     \0" + bytes([DESTINATION, URGENT])))
    emit("resume_digest", hkdf(transcript, secret, b"optmig session \0\0\0"))
    emit("resumed", struct.pack("<QQ", 1234, 1500))


def emit_records(keys, digest):
    body = bytes(i * 7 & 0xFF for i in range(5000))
    source = Stream(keys[SOURCE, BULK], digest, SOURCE, BULK)
    emit("record_prepare", source.seal(1, 0, body[:37]))
    emit("record_pages", source.seal(4, 0x01020304, body[:48]))
    emit("record_long_hash", sha256(source.seal(4, 2, body)))
    emit("record_digest", source.digest)
    destination = Stream(keys[DESTINATION, BULK], digest, DESTINATION, BULK)
    emit("record_ready", destination.seal(2, 0, b""))
    urgent = Stream(keys[DESTINATION, URGENT], digest, DESTINATION, URGENT)
    emit("record_request", urgent.seal(13, 0, body[:16]))
    answers = Stream(keys[SOURCE, URGENT], digest, SOURCE, URGENT)
    emit("record_answer", answers.seal(4, 0, body[:33]))


def receipt(source, destination):
    """The body of a receipt of a third move, between sides with these hellos."""
    start = struct.pack("<Q", 1234) + bytes(range(32))
    start += struct.pack("<QQQQII", 10**15, 10**15 + 7, 4096, 120000, 5, 0)
    figures = [5 << 30, 1310720, 77, 4096, 12, 5400 << 20]
    times = [1700000000 * 10**9, 1700000000 * 10**9 + 2000000, 1700000001 * 10**9]
    return (
        b"OMRCPT01" + struct.pack("<II", VERSION, 2) + b"kv".ljust(64, b"\0") + source + destination + start
        + struct.pack("<Q", 3) + bytes(range(100, 132)) + struct.pack("<Q", 1300) + bytes(range(32, 64))
        + struct.pack("<II", 1, 0) + struct.pack("<9Q", *figures, *times)
        + bytes(range(150, 182)) + bytes(range(180, 212))
    )


def receipt_report_data(body, role):
    digest = sha256(body)
    return b"".join(sha256(b"optmig receipt" + n + b"\0", bytes([role]), digest) for n in (b"1", b"2"))


def emit_receipt():
    source = Side(SOURCE, bytes(range(64)), 7)
    destination = Side(DESTINATION, bytes(range(128, 192)), 8)
    body = receipt(source.hello, destination.hello)
    emit("receipt", body)
    emit("receipt_source_report_data", receipt_report_data(body, SOURCE))
    emit("receipt_destination_report_data", receipt_report_data(body, DESTINATION))
    emit("receipt_file", body + struct.pack("<IIII", 5, 3, 6, 0) + b"quote" + b"pem" + b"quote2")
    emit("whole", struct.pack("<Q", 1700000001 * 10**9) + bytes(range(180, 212)))


def emit_bodies():
    page = bytes((i * 31 + (i >> 8)) & 0xFF for i in range(4096))
    head = struct.pack("<IIQQQ", 3, 0, 0x12345 << 8, 0xD000001 << 8 | 1, 0x10 << 8)
    emit("pages_head", head)
    emit("pages_hash", sha256(head, page, page[::-1]))
    emit("ranges", struct.pack("<IIQQQQ", 2, 0, 0x10, 1, 0x12, 0x200000))
    emit("no_ranges", struct.pack("<II", 0, 0))
    emit(
        "areas",
        struct.pack("<II", 2, 0)
        + struct.pack("<QQIIII", 0x10000, 0x12000, 5, 1, 0, 0)
        + struct.pack("<QQIIII", 0x12000, 0x40000000, 3, 2, 1, 0),
    )
    emit("request", struct.pack("<IIQQ", 2, 0, 0x7FFFFFF, 0x10))
    description = b"fd 0 /dev/null\n"
    emit(
        "prepare",
        struct.pack("<QQQIIII", SESSION, 5 << 30, 0xE7, 2696, 0, 21, len(description))
        + b"kv".ljust(64, b"\0") + bytes(range(16)) + struct.pack("<Q", 3) + bytes(range(32)) + description,
    )
    emit(
        "start",
        struct.pack("<Q", 1234) + bytes(range(32))
        + struct.pack("<QQQQII", 10**15, 10**15 + 7, 4096, 120000, 5, 0),
    )
    emit("started", struct.pack("<QQQQQ", 1500, 300, 700, 200, 1700000000 * 10**9))
    emit("text", "no memory: ½ GiB".encode())
    rule = b"\0" + b"\x08platform" + b"\x03sim" + b"\x0bone of: snp"
    rules = rule + b"\1" + b"\x05debug" + b"\x03off" + b"\0"
    emit("evidence", struct.pack("<IIII", 5, 3, 2, 0) + b"quote" + b"pem" + rules)


def emit_sim():
    private = int.from_bytes(sha256(b"host key"), "big")
    measurement, report_data = bytes(range(32)), bytes(range(64, 128))
    x, y = p256_multiply(private, G256)
    emit("sim_private_key", private.to_bytes(32, "big"))
    emit(
        "sim_evidence",
        b"SIM1" + measurement + report_data
        + b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        + ecdsa_sign(private, sha256(measurement, report_data)),
    )


def check_primitives():
    """Published vectors: FIPS 197, NIST's GCM test case 14, RFC 7748, RFC 6979's key on P-256."""
    block = aes256(aes256_schedule(bytes(range(32))), bytes(i * 17 for i in range(16)))
    assert block.hex() == "8ea2b7ca516745bfeafc49904b496089"
    cipher, tag = gcm_seal(bytes(32), bytes(12), b"", bytes(16))
    assert cipher.hex() == "cea7403d4d606b6e074ec5d3baf39d18"
    assert tag.hex() == "d0d1c8a799996bf0265b98b5d48ab919"
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    u = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    shared = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert x25519(scalar, u).hex() == shared
    private = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    assert ecdsa_sign(private, sha256(b"sample")).hex() == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


def print_all():
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Made by protocol_vectors.py, which knows nothing of the C code. */")
    print("/* clang-format off */")
    print("#pragma once")
    print("#include <stdint.h>")
    keys, digest = emit_handshake()
    emit_records(keys, digest)
    emit_bodies()
    emit_receipt()
    emit_sim()


def main():
    check_primitives()
    if sys.argv[1:2] != ["--check"]:
        print_all()
        return 0
    made = io.StringIO()
    with contextlib.redirect_stdout(made):
        print_all()
    with open(sys.argv[2]) as file:
        if file.read() == made.getvalue():
            return 0
    print(f"{sys.argv[2]} is not what protocol_vectors.py makes", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
