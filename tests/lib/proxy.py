# SPDX-License-Identifier: Apache-2.0
"""A bad network, or a bad host, between two daemons: forwards a move's connections and does one thing wrong.

  proxy.py TARGET-PORT READY-FILE HIT-FILE FAULT [MESSAGE [NUMBER]]

It writes its own port (PROXY_PORT, or any) to READY-FILE and, when it has done its fault, a line to HIT-FILE.  Faults at the
NUMBERth record of the type MESSAGE (a name from protocol/messages.def), in whichever direction it goes:

  flip-header, flip-body, flip-tag   one bit       drop, duplicate, swap (with the next record)
  retype (as another message)       cut (closes both ways)       truncate (half of it, then closes)
  stall (passes nothing more, closes nothing)                    splice (its body from an earlier one)

and without MESSAGE: line-version, hello-version, hello-key, hello-evidence, hello-role, noise, none.
"""
import os
import pathlib
import re
import socket
import struct
import sys
import threading

target, ready_file, hit_file, fault = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
message = sys.argv[5] if len(sys.argv) > 5 else ""
number = int(sys.argv[6]) if len(sys.argv) > 6 else 1

definitions = pathlib.Path(__file__).parent.parent.parent / "protocol" / "messages.def"
types = {name: int(n) for name, n in re.findall(r"^MESSAGE\((\w+), (\d+)", definitions.read_text(), re.M)}
lock, stalled, seen = threading.Lock(), threading.Event(), 0
HEADER, TAG, RESUME_HELLO = 24, 16, 56


def hit(what):
    with open(hit_file, "a") as f:
        f.write(what + "\n")


def flip(data, offset):
    changed = bytearray(data)
    changed[offset] ^= 0x10
    return bytes(changed)


class Pump(threading.Thread):
    """One direction of one connection, frame by frame."""

    def __init__(self, source, sink):
        super().__init__(daemon=True)
        self.source, self.sink, self.file = source, sink, source.makefile("rb")
        self.held, self.kept = None, None

    def run(self):
        try:
            self.send(self.hello_line(self.file.readline(4096)))
            while True:
                magic = self.file.read(4)
                if magic == b"OMH1":
                    self.send(self.hello(magic))
                elif magic == b"OMS1":
                    self.send(magic + self.read(RESUME_HELLO - 4))
                elif magic == b"OMR1":
                    self.record(magic)
                else:
                    break
        except (OSError, EOFError, ValueError):
            pass
        if not stalled.is_set():
            self.close()

    def send(self, data):
        if stalled.is_set():
            threading.Event().wait()
        self.sink.sendall(data)

    def read(self, length):
        data = self.file.read(length)
        if len(data) != length:
            raise EOFError
        return data

    def close(self):
        for end in (self.source, self.sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def hello_line(self, line):
        if fault == "line-version" and line.startswith(b"OPTMIG "):
            hit(line.decode())
            words = line.split(b" ")
            words[1] = b"%d" % (int(words[1]) - 1)
            return b" ".join(words)
        if fault == "noise" and line.startswith(b"OK"):
            hit("noise")
            return line + os.urandom(20000)
        return line

    def hello(self, magic):
        rest = self.read(8)
        length = struct.unpack("<I", rest[4:8])[0]
        data = magic + rest + self.read(length - 12)
        offset = {"hello-version": 4, "hello-role": 6, "hello-key": 60, "hello-evidence": 92 + 180}.get(fault)
        if offset is None:
            return data
        hit(fault)
        if fault == "hello-version":
            return data[:4] + struct.pack("<H", struct.unpack("<H", data[4:6])[0] + 1) + data[6:]
        if fault == "hello-role":
            return data[:6] + bytes([data[6] ^ 1]) + data[7:]
        return flip(data, offset)

    def record(self, magic):
        global seen
        header = magic + self.read(HEADER - 4)
        body = self.read(struct.unpack("<I", header[8:12])[0])
        frame = header + body + self.read(TAG)
        if self.held:
            self.send(frame + self.held)
            self.held = None
            return
        mine = False
        if types.get(message) == header[6]:
            with lock:
                seen += 1
                mine = seen == number
        if mine:
            hit(f"{fault} at {message} {number}")
            self.spoil(frame, header, body)
        else:
            self.send(frame)
        if len(body) > 5000 or not self.kept:
            self.kept = frame

    def spoil(self, frame, header, body):
        if fault == "flip-header":
            self.send(flip(frame, 12))
        elif fault == "flip-body":
            self.send(flip(frame, HEADER + len(body) // 2))
        elif fault == "flip-tag":
            self.send(flip(frame, len(frame) - 1))
        elif fault == "retype":
            self.send(frame[:6] + bytes([header[6] + 1]) + frame[7:])
        elif fault == "duplicate":
            self.send(frame + frame)
        elif fault == "swap":
            self.held = frame
        elif fault == "splice":
            self.send(header + (self.kept or frame)[HEADER:])
        elif fault == "truncate":
            self.send(frame[: len(frame) // 2])
            self.close()
        elif fault == "cut":
            self.close()
        elif fault == "stall":
            stalled.set()
            threading.Event().wait()
        elif fault != "drop":
            raise ValueError(fault)


listener = socket.create_server(("127.0.0.1", int(os.environ.get("PROXY_PORT", "0"))))
with open(ready_file + ".new", "w") as f:
    f.write(str(listener.getsockname()[1]))
os.rename(ready_file + ".new", ready_file)
while True:
    client, _ = listener.accept()
    server = socket.create_connection(("127.0.0.1", target))
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Pump(client, server).start()
    Pump(server, client).start()
