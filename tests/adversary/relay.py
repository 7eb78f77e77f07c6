# SPDX-License-Identifier: Apache-2.0
"""A hostile network between two daemons.

Relay forwards the connections of moves to a daemon, unit by unit: the line in which daemons greet, the hello
of each enclave, then sealed records.  What is in a record it cannot read; it sees the header (type,
stream, counter), as anybody on the way does.  An Attack sees each unit and says what is sent instead.
"""
import pathlib
import re
import socket
import struct
import threading
import time

HEADER, TAG, RESUME_HELLO = 24, 16, 56
OUT, BACK = 0, 1  # from the source, from the destination
_here = pathlib.Path(__file__).resolve().parent


def beside(name, source):
    """A file that lies beside this one where it is installed, and at its place in the sources."""
    return _here / name if (_here / name).exists() else _here.parent.parent / source / name


_definitions = beside("messages.def", "protocol")
TYPES = {name: int(n) for name, n in re.findall(r"^MESSAGE\((\w+), (\d+)", _definitions.read_text(), re.M)}
NAMES = {number: name for name, number in TYPES.items()}


def flip(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class Record:
    def __init__(self, frame):
        self.frame = frame
        self.type, self.stream = frame[6], frame[7]
        self.name = NAMES.get(self.type, "?")
        self.counter = struct.unpack("<Q", frame[16:24])[0]
        self.body = frame[HEADER:-TAG]


class Attack:
    """Passes everything on.  Each method returns the bytes that are sent instead."""

    result = {"failed", "refused"}  # what the report of the move may say
    reason = ""  # expression that its reason has to contain
    mode = "hybrid"
    seconds = 60  # for the whole move
    hits = 0  # how often it did its deed: never is a mistake of the test

    def hit(self):
        self.hits += 1

    def line(self, way, line):
        return line

    def hello(self, way, hello):
        return hello

    def resume_hello(self, way, hello):
        return hello

    def record(self, way, record):
        return record.frame

    def throttle(self, link, way, data):
        link.sockets[1 - way].sendall(data)

    def begin(self, relay):
        self.relay = relay

    def end(self):
        """When the move has ended: undo what is not to last."""


class Link:
    """One of the two connections of a move; source's side and destination's side."""

    def __init__(self, relay, client, target):
        self.relay, self.attack = relay, relay.attack
        self.sockets = (client, socket.create_connection(target))
        self.stream, self.pumps, self.lock = "?", 2, threading.Lock()
        for end in self.sockets:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for way in (OUT, BACK):
            threading.Thread(target=self.pump, args=(way,), daemon=True).start()

    def send(self, way, data):
        if data:
            self.attack.throttle(self, way, data)

    def close(self):
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pump(self, way):
        file = self.sockets[way].makefile("rb")

        def read(length):
            data = file.read(length)
            if len(data) != length:
                raise EOFError
            return data

        ended = False
        try:
            line = file.readline(4096)
            if way == OUT and b"urgent " in line:
                self.stream = "urgent"
            elif way == OUT:
                self.stream = "bulk"
                self.relay.bulk = self
            self.send(way, self.attack.line(way, line))
            while True:
                magic = file.read(4)
                if not magic:
                    self.sockets[1 - way].shutdown(socket.SHUT_WR)  # It has said all; the other one may not have.
                    ended = True
                    break
                if magic == b"OMH1":
                    rest = read(8)
                    length = struct.unpack("<I", rest[4:8])[0]
                    self.send(way, self.attack.hello(way, magic + rest + read(length - 12)))
                elif magic == b"OMS1":
                    self.send(way, self.attack.resume_hello(way, magic + read(RESUME_HELLO - 4)))
                elif magic == b"OMR1":
                    header = magic + read(HEADER - 4)
                    record = Record(header + read(struct.unpack("<I", header[8:12])[0] + TAG))
                    self.send(way, self.attack.record(way, record))
                else:
                    raise EOFError
        except (OSError, EOFError, ValueError):
            pass
        if not ended:
            self.close()
        file.close()
        with self.lock:
            self.pumps -= 1
            if self.pumps == 0:
                for end in self.sockets:
                    end.close()  # What was not read is refused: who still sends it is told.


class Relay:
    def __init__(self, target):
        self.target, self.attack, self.bulk, self.links = target, Attack(), None, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                self.links.append(Link(self, client, self.target))
            except OSError:
                client.close()  # Nobody is there any more.

    def set(self, attack):
        self.attack = attack
        attack.begin(self)

    def close(self):
        for link in self.links:
            link.close()
        self.links = []


def dribble(socket_, data, size, pause):
    for at in range(0, len(data), size):
        socket_.sendall(data[at : at + size])
        time.sleep(pause)
