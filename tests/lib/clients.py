# SPDX-License-Identifier: Apache-2.0
"""Clients that never connect again: what they say is answered on the same connection, however often the server
is moved (tests/run.d/75-connections).

  clients.py redis PORT COUNT STOP-FILE     INCR on a key of its own, some with 16 requests under way at a time
  clients.py stream PORT COUNT STOP-FILE    numbered words through an echo server, some of them read slowly
  clients.py tls PORT COUNT STOP-FILE       lines over TLS to `openssl s_server -rev`
  clients.py lines PORT COUNT STOP-FILE     the same without TLS
  clients.py memcached PORT COUNT STOP-FILE set and get of keys of its own, and a key that all of them count up
  clients.py dns PORT COUNT STOP-FILE       A queries over UDP for nN.test, which is 10.0.0.N; asked again after a second, as resolvers do
  clients.py datagrams PORT COUNT STOP-FILE numbered datagrams, many under way, through a server that echoes each: every one comes once
  clients.py http PORT COUNT STOP-FILE      GET /file over one kept connection; FILE is $FILE
  clients.py brief PORT COUNT STOP-FILE     the same, a connection for each request, some of them half-closed

$HOST is where the server is (default: 127.0.0.1).  All of them check every byte of every answer until the file exists.  Exit status 1 if one was not as it should be.
"""
import http.client
import os
import socket
import ssl
import struct
import sys
import threading
import time

LIMIT_S = 30  # without an answer
HOST = os.environ.get("HOST", "127.0.0.1")


class Wrong(Exception):
    pass


class Client(threading.Thread):
    """One connection.  `longest` is the longest wait for an answer, in seconds."""
    REPEATED = "segments repeated"

    def __init__(self, port, number, over):
        super().__init__()
        self.port, self.number, self.over = port, number, over
        self.answers, self.longest, self.error = 0, 0.0, None

    def connect(self):
        connection = socket.create_connection((HOST, self.port), LIMIT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        return connection

    def run(self):
        try:
            self.begin()
            while not self.over.is_set():
                before = time.monotonic()
                self.turn()
                self.longest = max(self.longest, time.monotonic() - before)
            self.end()
        except (OSError, Wrong, http.client.HTTPException) as error:
            self.error = "connection %d after %d answers: %s: %s" % (
                self.number, self.answers, type(error).__name__, error)

    def expect(self, is_it, should):
        if is_it != should:
            raise Wrong("%r, should be %r" % (is_it[:60], should[:60]))
        self.answers += 1

    def end(self):
        pass

    def tcp_info(self, offset):
        return struct.unpack_from("=I", self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), offset)[0]

    def repeated(self):
        """Segments that this side has had to send again (tcpi_total_retrans)."""
        return self.tcp_info(100)

    def expect_large_segments(self):
        """What the server sends is still cut as it was agreed on (tcpi_rcv_mss), not into 536 bytes."""
        if self.tcp_info(20) < 1000:
            raise Wrong("segments of %d bytes" % self.tcp_info(20))


class Redis(Client):
    def begin(self):
        self.file = self.connect().makefile("rb")
        self.depth = 16 if self.number % 4 == 3 else 1
        key = b"client:%d" % self.number
        self.request = b"*2\r\n$4\r\nINCR\r\n$%d\r\n%s\r\n" % (len(key), key)

    def turn(self):
        self.socket.sendall(self.request * self.depth)
        for _ in range(self.depth):
            self.expect(self.file.readline(), b":%d\r\n" % (self.answers + 1))


class Stream(Client):
    """A writing and a reading thread; how much is under way differs, up to more than the buffers hold."""
    WORDS = 1024

    def begin(self):
        self.file = self.connect().makefile("rb")
        self.sent = 0
        self.under_way = threading.Semaphore([1, 8, 64, 1000][self.number % 4])
        self.writer = threading.Thread(target=self.write)
        self.writer.start()

    def block(self, index):
        first = self.number * 10**12 + index * self.WORDS
        return struct.pack("<%dQ" % self.WORDS, *range(first, first + self.WORDS))

    def write(self):
        try:
            while not self.over.is_set():
                if self.under_way.acquire(timeout=1):
                    self.socket.sendall(self.block(self.sent))
                    self.sent += 1
            self.socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = "connection %d, writing: %s" % (self.number, error)

    def turn(self):
        got = self.file.read(8 * self.WORDS)
        if not got and self.over.is_set():
            return  # All that was sent has come back; end() counts it.
        self.expect(got, self.block(self.answers))
        self.under_way.release()
        if self.number % 4 == 3:
            time.sleep(0.005)

    def end(self):
        self.writer.join()
        while self.answers < self.sent:
            self.expect(self.file.read(8 * self.WORDS), self.block(self.answers))
        if self.file.read(1):
            raise Wrong("more came back than was sent")


class Tls(Client):
    def begin(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.connect())
        self.file = self.socket.makefile("rwb")

    def turn(self):
        text = b"%d is what connection %d says" % (self.answers, self.number)
        self.file.write(text + b"\n")
        self.file.flush()
        self.expect(self.file.readline(), text[::-1] + b"\n")


class Lines(Client):
    def begin(self):
        self.file = self.connect().makefile("rwb")

    turn = Tls.turn


class Memcached(Client):
    def begin(self):
        self.file = self.connect().makefile("rwb")
        self.counted = 0

    def ask(self, request, should):
        self.file.write(request)
        self.file.flush()
        for line in should.splitlines(keepends=True):
            self.expect(self.file.readline(), line)

    def turn(self):
        key = b"client:%d:%d" % (self.number, self.answers % 100)
        value = (b"%d " % self.answers) * 50
        self.ask(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value), b"STORED\r\n")
        self.ask(b"get %s\r\n" % key, b"VALUE %s 0 %d\r\n%s\r\nEND\r\n" % (key, len(value), value))
        # A count that an old copy of the memory would take back.
        self.file.write(b"incr all 1\r\n")
        self.file.flush()
        answer = self.file.readline()
        if answer == b"NOT_FOUND\r\n":
            self.file.write(b"add all 0 0 1\r\n0\r\n")
            self.file.flush()
            self.file.readline()  # STORED, or somebody else was first
            return
        if not answer.strip().isdigit() or int(answer) <= self.counted:
            raise Wrong("%r after %d" % (answer, self.counted))
        self.counted = int(answer)
        self.answers += 1


class Dns(Client):
    """Datagrams may be lost, and are asked for again as resolvers do; what comes must be right."""
    AGAIN_S, TIMES = 1, 5
    REPEATED = "queries asked again"

    def begin(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((HOST, self.port))
        self.socket.settimeout(self.AGAIN_S)
        self.asked_again = 0

    def turn(self):
        identity, host = self.answers % 65536, self.answers % 200 + 1
        name = b"n%d" % host
        question = bytes([len(name)]) + name + b"\4test\0\0\1\0\1"
        query = struct.pack(">6H", identity, 0x0100, 1, 0, 0, 0) + question
        for _ in range(self.TIMES):
            try:
                self.socket.send(query)
                answer = self.socket.recv(2000)
                while answer[:2] != query[:2]:  # late, to what has been asked again
                    answer = self.socket.recv(2000)
            except socket.timeout:
                self.asked_again += 1
                continue
            self.expect(answer[3:4] + answer[12:12 + len(question)] + answer[-4:],
                        b"\x80" + question + bytes([10, 0, 0, host]))
            return
        raise Wrong("no answer, asked %d times" % self.TIMES)

    def repeated(self):
        return self.asked_again


class Datagrams(Client):
    """Loopback and a bridge lose nothing by themselves while buffers have room: neither may a move."""
    WINDOW, SIZES = 8, (0, 1, 200, 1400)
    REPEATED = "out of order"

    def begin(self):
        host = self.host()
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((host, self.port))
        self.socket.settimeout(LIMIT_S)
        self.sent, self.under_way, self.newest, self.late = 0, set(), -1, 0

    def host(self):
        return os.environ.get("HOST6", HOST) if self.number % 2 else HOST

    @staticmethod
    def contents(number):
        return struct.pack(">Q", number) + bytes([number % 251]) * Datagrams.SIZES[number % 4]

    def hear(self):
        answer = self.socket.recv(65536)
        number = struct.unpack(">Q", answer[:8])[0]
        self.expect(answer, self.contents(number))
        if number not in self.under_way:
            raise Wrong("datagram %d came twice" % number)
        self.under_way.remove(number)
        self.late += number < self.newest
        self.newest = max(self.newest, number)

    def turn(self):
        while len(self.under_way) < self.WINDOW:
            self.under_way.add(self.sent)
            self.socket.send(self.contents(self.sent))
            self.sent += 1
        self.hear()

    def end(self):
        while self.under_way:
            self.hear()
        self.socket.setblocking(False)
        try:
            raise Wrong("%d bytes came twice" % len(self.socket.recv(65536)))
        except BlockingIOError:
            pass

    def repeated(self):
        return self.late


class Http(Client):
    def begin(self):
        self.connection = http.client.HTTPConnection(HOST, self.port, timeout=LIMIT_S)
        self.connection.connect()
        self.socket = self.connection.sock
        self.connection.auto_open = 0  # A closed connection is an error, not a reason for another one.
        with open(os.environ["FILE"], "rb") as file:
            self.contents = file.read()

    def turn(self):
        self.connection.request("GET", "/file")
        self.expect(self.connection.getresponse().read(), self.contents)
        self.expect_large_segments()


class Brief(Client):
    """A connection for each request; the server closes it behind its answer."""

    def begin(self):
        with open(os.environ["FILE"], "rb") as file:
            self.contents = file.read()

    def turn(self):
        with self.connect() as connection:
            connection.sendall(b"GET /file HTTP/1.0\r\nHost: server\r\n\r\n")
            # The client may close its side first, as some do: the answer comes all the same.
            if self.number % 4 == 1:
                connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
        if not head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 ")):
            raise Wrong("%r" % head[:60])
        self.expect(body, self.contents)

    def repeated(self):
        return 0  # of which connection?


def main():
    kind, port, count, stop = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    over = threading.Event()
    kinds = {"redis": Redis, "stream": Stream, "tls": Tls, "http": Http, "brief": Brief,
             "lines": Lines, "memcached": Memcached, "dns": Dns, "datagrams": Datagrams}
    clients = [kinds[kind](port, number, over) for number in range(count)]
    for client in clients:
        client.start()
    while not os.path.exists(stop) and not any(client.error for client in clients):
        time.sleep(0.05)
    over.set()
    for client in clients:
        client.join(2 * LIMIT_S)
        if client.error:
            continue
        if client.is_alive() and not client.error:
            client.error = "connection %d hangs after %d answers" % (client.number, client.answers)
    errors = [client.error for client in clients if client.error]
    print("%d connections, %d answers, longest wait %.0f ms, %d %s" % (
        count, sum(client.answers for client in clients), 1000 * max(client.longest for client in clients),
        sum(client.repeated() for client in clients if not client.error), kinds[kind].REPEATED))
    for error in errors[:5]:
        print(error)
    if errors or not all(client.answers for client in clients):
        os._exit(1)  # A hanging thread must not keep us.


if __name__ == "__main__":
    main()
