# SPDX-License-Identifier: Apache-2.0
"""Clients for servers that are moved while they work (tests/run.d/70-servers).

  servers.py PROTOCOL PORT fill COUNT            data of every kind
  servers.py PROTOCOL PORT write STOP-FILE LOG   until the file exists: writes, each acknowledged one logged
  servers.py PROTOCOL PORT verify COUNT LOG      the data and every acknowledged write are there; prints how many

If a connection is lost the writer connects again, and a write whose answer did not come counts
neither as done nor as not done.  PROTOCOL is redis or memcached.
"""
import os
import socket
import sys
import time


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed in the middle of an answer")
        return line[:-2]


class Redis(Connection):
    def answer(self):
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self.file.read(int(rest) + 2)
            if len(data) != int(rest) + 2:
                raise ConnectionError("closed in the middle of an answer")
            return data[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        if kind == b"-":
            raise RuntimeError(line.decode())
        return rest

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def set(self, key, value):
        if self.ask("SET", key, value) != b"OK":
            raise RuntimeError("SET was not answered by OK")

    def get(self, key):
        return self.ask("GET", key)

    def increment(self, key):
        return int(self.ask("INCR", key))

    def fill(self, count):
        self.ask("FLUSHALL")
        for first in range(0, count, 1000):
            commands = []
            for i in range(first, min(first + 1000, count)):
                commands.append(("SET", f"s:{i}", value_of(i)))
                commands.append(("HSET", f"h:{i % 97}", f"f{i}", f"v{i}"))
                commands.append(("RPUSH", f"l:{i % 31}", i))
                commands.append(("ZADD", f"z:{i % 13}", i * 1.5, f"m{i}"))
                commands.append(("SADD", f"e:{i % 7}", i))
            for command in commands:
                self.send(*command)
            for _ in commands:
                self.answer()

    def verify(self, count):
        assert int(self.ask("HLEN", "h:5")) == len(range(5, count, 97)), "a hash lost fields"
        assert int(self.ask("LLEN", "l:5")) == len(range(5, count, 31)), "a list lost elements"
        assert int(self.ask("ZCARD", "z:5")) == len(range(5, count, 13)), "a sorted set lost members"
        assert int(self.ask("SCARD", "e:5")) == len(range(5, count, 7)), "a set lost members"


class Memcached(Connection):
    def set(self, key, value):
        self.socket.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(value), value))
        if self.line() != b"STORED":
            raise RuntimeError("set was not answered by STORED")

    def get(self, key):
        self.socket.sendall(b"get %s\r\n" % key.encode())
        head = self.line()
        if head == b"END":
            return None
        length = int(head.split()[3])
        data = self.file.read(length + 2)
        if len(data) != length + 2 or self.line() != b"END":
            raise ConnectionError("closed in the middle of an answer")
        return data[:-2]

    def increment(self, key):
        self.socket.sendall(b"incr %s 1\r\n" % key.encode())
        return int(self.line())

    def fill(self, count):
        self.set("counter", b"0")
        for i in range(count):
            self.set(f"s:{i}", value_of(i))

    def verify(self, count):
        pass


def value_of(i):
    return (b"%d:" % (i * 2654435761)) * (1 + i % 20)


def connect(protocol, port):
    end = time.monotonic() + 20
    while True:
        try:
            return {"redis": Redis, "memcached": Memcached}[protocol](port)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.005)


def write(protocol, port, stop_file, log_path):
    connection, number, doubtful, done, longest = connect(protocol, port), 0, 0, 0, 0.0
    last = time.monotonic()
    with open(log_path, "w") as log:
        while not os.path.exists(stop_file) or number % 64:
            number += 1
            try:
                connection.set(f"w:{number}", value_of(number))
                log.write(f"{number}\n")
                connection.increment("counter")
                done += 1
                longest = max(longest, time.monotonic() - last)
                last = time.monotonic()
            except (OSError, ValueError):
                doubtful += 1
                connection = connect(protocol, port)
        log.write(f"increments {done} {done + doubtful}\n")
    print(f"{number} writes, {doubtful} without an answer, longest pause {longest * 1000:.0f} ms")


def verify(protocol, port, count, log_path):
    connection, acknowledged = connect(protocol, port), 0
    for i in range(count):
        assert connection.get(f"s:{i}") == value_of(i), f"s:{i} is lost or wrong"
    connection.verify(count)
    if os.path.exists(log_path):
        for line in open(log_path):
            words = line.split()
            if words[0] == "increments":
                counter = int(connection.get("counter"))
                assert int(words[1]) <= counter <= int(words[2]), f"counter {counter}: {line}"
                continue
            number = int(words[0])
            assert connection.get(f"w:{number}") == value_of(number), f"acknowledged w:{number} is lost"
            acknowledged += 1
    print(f"{count} values and {acknowledged} acknowledged writes are there")


protocol, port, order = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if order == "fill":
    connect(protocol, port).fill(int(sys.argv[4]))
elif order == "write":
    write(protocol, port, sys.argv[4], sys.argv[5])
elif order == "verify":
    verify(protocol, port, int(sys.argv[4]), sys.argv[5])
else:
    sys.exit(__doc__)
