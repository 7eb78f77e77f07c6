#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Changed receipts, which `optmig receipt --verify` has to refuse.

    receipts.py OPTMIG flip STEP FILE [OPTIONS...]      one bit of each STEP-th byte, and every length around
    receipts.py OPTMIG splice FILE OTHER [OPTIONS...]   parts of two receipts, in each way
Prints how many were refused; 1 if one was accepted, or ended in another way than refused.
"""
import os
import struct
import subprocess
import sys
import tempfile

BODY = 704


def parts(receipt):
    lengths = struct.unpack_from("<IIII", receipt, BODY)
    at, pieces = BODY + 16, []
    for length in lengths:
        pieces.append(receipt[at:at + length])
        at += length
    return receipt[:BODY], *pieces


def join(body, *pieces):
    return body + struct.pack("<IIII", *map(len, pieces)) + b"".join(pieces)


def flips(path, step):
    receipt = open(path, "rb").read()
    for at in range(0, len(receipt), step):
        changed = bytearray(receipt)
        changed[at] ^= 1 << at % 8
        yield f"bit {at % 8} of byte {at}", bytes(changed)
    yield "a byte less", receipt[:-1]
    yield "a byte more", receipt + b"\0"
    yield "nothing", b""


def splices(path, other):
    mine, theirs = (parts(open(p, "rb").read()) for p in (path, other))
    yield "another body", join(theirs[0], *mine[1:])
    yield "the source's evidence of another session", join(mine[0], *theirs[1:3], *mine[3:])
    yield "the destination's evidence of another session", join(*mine[:3], *theirs[3:])
    yield "both evidences of another session", join(mine[0], *theirs[1:])
    yield "the source's evidence twice", join(*mine[:3], *mine[1:3])
    yield "the destination's evidence twice", join(mine[0], *mine[3:], *mine[3:])
    yield "the evidences exchanged", join(mine[0], *mine[3:], *mine[1:3])
    yield "something beside the evidence", join(*mine[:2], b"x", *mine[3:])
    for name, at, size in (("source's hello", 80, 160), ("destination's hello", 240, 160),
                           ("start token", 400, 80), ("number", 480, 8), ("digest", 528, 32),
                           ("policies", 640, 64)):
        body = mine[0][:at] + theirs[0][at:at + size] + mine[0][at + size:]
        if body != mine[0]:
            yield f"the {name} of another session", join(body, *mine[1:])


def main():
    optmig, kind, *rest = sys.argv[1:]
    changed = flips(rest[1], int(rest[0])) if kind == "flip" else splices(rest[0], rest[1])
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "changed")
        for what, receipt in changed:
            with open(path, "wb") as file:
                file.write(receipt)
            command = [optmig, "receipt", "--verify", path, *rest[2:]]
            status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
            if status != 1:
                print(f"{what}: status {status}")
                return 1
            refused += 1
    print(refused)
    return 0


sys.exit(main())
