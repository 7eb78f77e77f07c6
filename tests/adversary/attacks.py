# SPDX-License-Identifier: Apache-2.0
"""The attacks.  ATTACKS: name -> Property, in the order in which they are made."""
import collections
import os
import socket
import struct
import threading
import time

from middle import Middle
from relay import BACK, HEADER, OUT, TAG, TYPES, Attack, Record, dribble, flip

# end: what becomes of the program.  "unharmed": nothing; "taken-back": it stops, and goes on at the source;
# "arrives": it moves to the destination all the same; "refused": that too is nothing, but there has to be a policy.
# attacks(long): the variants.
Property = collections.namedtuple("Property", "end promise attacks")
ATTACKS = {}
BEFORE_START = ["SOURCE_EVIDENCE", "DESTINATION_EVIDENCE", "PREPARE", "READY", "PAGES", "LAYOUT", "PING", "PONG", "LIST", "LIST_END", "LISTED", "RESTORE", "RESTORED", "START"]


def against(promise):
    def enter(function):
        ATTACKS[function.__name__.replace("_", "-")] = Property("unharmed", promise, function)
        return function

    return enter


class At(Attack):
    """Does something to the numberth record of a type."""

    def __init__(self, name, deed, number=1, **settings):
        self.name, self.deed, self.number, self.seen = name, deed, number, 0
        self.label = "%s %d" % (name, number)
        self.__dict__.update(settings)

    def record(self, way, record):
        if record.name == self.name:
            self.seen += 1
            if self.seen == self.number:
                self.hit()
                return self.deed(self, way, record)
        return record.frame


@against("a bit of a header is changed: refused, unharmed")
def header_bits(long):
    # Each byte once; with --long each bit.  More than one record follows, so a longer length is filled.
    for byte in range(HEADER):
        for bit in range(8) if long else (byte * 5 % 8,):
            yield At("PAGES", lambda self, way, r: flip(r.frame, self.bit), 2, bit=byte * 8 + bit,
                     label="byte %d bit %d" % (byte, bit), reason="broken|gave up|lost")


@against("a bit of a body or tag is changed, in every kind of message up to the start token: refused, unharmed")
def body_bits(long):
    for name in BEFORE_START:
        for place in ("body", "tag") if long else ("tag",) if name not in ("PAGES", "START") else ("body",):
            def deed(self, way, r):
                end = len(r.frame) if self.place == "tag" or not r.body else HEADER + len(r.body)
                return flip(r.frame, (end - 1) * 8 + 3)
            yield At(name, deed, place=place, label="%s %s" % (place, name), reason="changed on its way")
    for position in (range(0, 256 * 1024, 8191) if long else (0, 9, 70000)):
        yield At("PAGES", lambda self, way, r: flip(r.frame, (HEADER + self.position % len(r.body)) * 8), 3,
                 position=position, label="PAGES byte %d" % position, reason="changed on its way")


@against("a record is dropped: refused, unharmed")
def drop(long):
    for name in ["PAGES", "LIST", "LAYOUT", "RESTORE"] + (["READY", "PONG", "LISTED", "RESTORED"] if long else []):
        # What nothing follows is missed by a time limit only: at most 60 s, 5 s while it stands still.
        yield At(name, lambda self, way, r: b"", seconds=100, reason="missing|answer|broken|gave up")


@against("a record is sent twice: refused, unharmed")
def duplicate(long):
    for name in ["PREPARE", "READY", "PAGES", "LAYOUT", "LIST", "LIST_END", "LISTED", "RESTORE", "RESTORED"]:
        # A RESTORED that comes twice is read after the commit only: see the cases in doubt.
        if name != "RESTORED":
            yield At(name, lambda self, way, r: r.frame + r.frame, label=name, reason="missing, repeated|gave up")


@against("records change places: refused, unharmed")
def reorder(long):
    class Swap(At):
        held = None

        def record(self, way, record):
            if self.held and self.held[0] == way and record.stream == 0:
                frame, self.held = self.held[1], None
                self.hit()
                return record.frame + frame
            return super().record(way, record)

    def hold(self, way, record):
        self.held = (way, record.frame)
        return b""

    for name, number in [("PAGES", 2), ("LAYOUT", 1), ("LIST", 1)] + ([("PAGES", n) for n in range(3, 9)] if long else []):
        yield Swap(name, hold, number, reason="missing, repeated")


@against("a stream ends in the middle of a record: refused, unharmed")
def truncate(long):
    def deed(self, way, record):
        self.relay.bulk.sockets[1 - way].sendall(record.frame[: int(self.part * len(record.frame))])
        self.relay.bulk.close()
        return b""

    for name in ["PREPARE", "PAGES", "LIST_END", "RESTORE"]:
        for part in (0.01, 0.99) if name == "PAGES" else (0.5,):
            yield At(name, deed, part=part, label="%s, %d %%" % (name, part * 100), reason="lost|gave up")


class Recording(Attack):
    """A session that is cut at its first LIST, and all of it kept."""

    result = {"failed"}
    label = "the session that is recorded"

    def __init__(self):
        self.lines, self.hellos, self.records = {}, {}, {OUT: [], BACK: []}

    def line(self, way, line):
        self.lines.setdefault(way, line)
        return line

    def hello(self, way, hello):
        self.hellos[way] = hello
        return hello

    def record(self, way, record):
        self.records[way].append(record)
        if record.name == "LIST":
            self.hit()
            self.relay.close()
            return b""
        return record.frame


@against("records, hello or evidence of an earlier session: refused, unharmed")
def splice(long):
    earlier = Recording()
    yield earlier

    def same_place(self, way, record):
        return next(r.frame for r in earlier.records[way] if r.stream == record.stream and r.counter == record.counter)

    for name in ["SOURCE_EVIDENCE", "DESTINATION_EVIDENCE", "PREPARE", "READY", "PAGES"]:
        yield At(name, same_place, label="%s of yesterday" % name, reason="changed on its way|wrong length|broken|gave up")

    class Hello(Attack):
        def __init__(self, way, patched):
            self.way, self.patched = way, patched
            self.label = "hello of yesterday's %s%s" % (("source", "destination")[way], ", with today's session" * patched)
            self.reason = "another session|another hello|broken|gave up|lost"

        def hello(self, way, hello):
            if way != self.way:
                return hello
            self.hit()
            old = earlier.hellos[way]
            return old[:12] + hello[12:20] + old[20:] if self.patched else old

    for way in (OUT, BACK):
        for patched in (False, True):
            yield Hello(way, patched)


@against("a man in the middle hands on, changes or keeps evidence: refused, nothing of the program sent, unharmed")
def man_in_the_middle(long):
    side = ("source", "destination")
    another, changed = "made for another handshake", "does not verify"
    for way in (OUT, BACK):
        handed_on = Middle("evidence of the %s, handed on" % side[way], way, lambda e: e, reason=another)
        yield handed_on
        for bit in (35 * 8, 40 * 8 + 1, 200 * 8 + 5) if long else (200 * 8 + 5,):  # measurement, report data, signature
            yield Middle("evidence of the %s, bit %d changed" % (side[way], bit), way, lambda e: flip(e, bit),
                         # What the destination finds changed, the source hears of as a relayed verdict only.
                         reason=changed if way == BACK else changed + "|" + another)
        yield Middle("evidence of the %s of yesterday" % side[way], way, lambda e: handed_on.evidence, reason=another)


@against("a hello is changed: version, role, platform, session, keys, capabilities, runtime, policy: refused, unharmed")
def hello_fields(long):
    class Field(Attack):
        def __init__(self, label, offset, way):
            self.offset, self.way = offset, way
            self.label = "%s of the %s" % (label, ("source", "destination")[way])
            self.reason = "broken|version|lost|other|gave up"

        def hello(self, way, hello):
            if way != self.way:
                return hello
            self.hit()
            return flip(hello, self.offset * 8 + 1)

    fields = {"version": 4, "role": 6, "platform": 7, "session": 12, "nonce": 20, "key": 52, "capabilities": 84,
              "runtime": 88, "policy's key": 120, "policy's version": 152}
    for label, offset in fields.items():
        for way in (OUT, BACK):
            yield Field(label, offset, way)


@against("a side's own hello and records come back to it: refused, unharmed")
def reflect(long):
    class Hello(Attack):
        reason = "our own|came back|broken|gave up|lost|role"

        def __init__(self, way):
            self.way, self.kept, self.ready = way, b"", threading.Event()
            self.label = "hello of the %s" % ("source", "destination")[way]

        def hello(self, way, hello):
            if way == self.way:
                self.kept = hello
                self.ready.set()
                return hello
            self.ready.wait(5)
            self.hit()
            return self.kept

    class Records(Attack):
        reason = "changed on its way|missing|broken|gave up|may not"

        def __init__(self, name, way):
            self.name, self.way, self.done = name, way, False
            self.label = "what its reader said itself, in place of %s" % name
            self.mirror = None

        def record(self, way, record):
            if record.stream == 0 and way != self.way:
                self.mirror = record.frame
            if record.name == self.name and not self.done and self.mirror:
                self.done = True
                self.hit()
                # Under the number that is expected.
                return self.mirror[:16] + record.frame[16:24] + self.mirror[24:]
            return record.frame

    for way in (OUT, BACK):
        yield Hello(way)
    yield Records("DESTINATION_EVIDENCE", BACK)
    yield Records("READY", BACK)
    yield Records("LISTED", BACK)
    yield Records("PAGES", OUT)


@against("the connections of the two streams are exchanged, or bytes come from nowhere: refused, unharmed")
def noise(long):
    def garbage(self, way, record):
        return self.what + record.frame

    forged = b"OMR1" + struct.pack("<HBBIIQ", 999, TYPES["START"], 0, 80, 0, 3) + bytes(80 + TAG)
    for label, what in (("noise", os.urandom(4096)), ("a forged START", forged), ("a longer record than allowed",
                        b"OMR1" + struct.pack("<HBBIIQ", 999, 4, 0, 0xFFFFFFF0, 0, 2))):
        yield At("PAGES", garbage, 2, what=what, label=label, reason="broken|gave up|lost|wrong length|changed")
    yield At("PAGES", lambda self, way, r: r.frame[:7] + b"\1" + r.frame[8:], 2, label="a bulk record marked urgent",
             reason="another stream|broken|gave up")


@against("a flood of connections and noise at the destination's daemon: refused, unharmed, and over when it is over")
def flood(long):
    class Flood(Attack):
        result, reason = {"refused"}, "too many connections"
        label = "%d connections" % (2000 if long else 300)

        def begin(self, relay):
            super().begin(relay)
            self.sockets, self.over = [], False
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()
            while self.hits < 100 and self.thread.is_alive():
                time.sleep(0.01)

        def run(self):
            kinds = (b"", b"OPTMIG 999 ", os.urandom(3000), b"OPTMIG 999 0123456789abcdef bulk x hybrid 99999\n", b"A" * 100000)
            for i in range(2000 if long else 300):
                try:
                    end = socket.create_connection(self.relay.target, timeout=2)
                    end.setblocking(False)
                    end.send(kinds[i % len(kinds)] or b"O")
                    self.sockets.append(end)
                except OSError:
                    pass
                self.hit()

        def end(self):
            self.thread.join(20)
            for end in self.sockets:
                end.close()

    yield Flood()


class Slow(Attack):
    result = {"moved"}

    def __init__(self, label, limit, size, pause):
        self.label, self.limit, self.size, self.pause, self.slow = label, limit, size, pause, {}

    def throttle(self, link, way, data):
        key = (id(link), way)
        done = self.slow.get(key, 0)
        now = data[: max(0, self.limit - done)]
        self.slow[key] = done + len(now)
        if now:
            self.hit()
            dribble(link.sockets[1 - way], now, self.size, self.pause)
        link.sockets[1 - way].sendall(data[len(now):])


# ---- one each, that let the program go, or take it back ----


def after(name, end, promise):
    def enter(function):
        ATTACKS[name] = Property(end, promise, lambda long: [function(long)])
        return function

    return enter


class Pages(Attack):
    """Pages that come after the start."""

    mode = "postcopy"
    started = False

    def record(self, way, record):
        if record.name == "STARTED":
            self.started = True
        if self.started and way == OUT and record.name == "PAGES":
            return self.pages(record)
        return record.frame


@after("count", "refused", "a source that is refused has sent no byte of state")
def count_bytes(_long):
    """Changes nothing; what a source that is refused has sent, is counted."""

    class Count(Attack):
        result, reason = {"refused"}, "policy of the source"
        label = "a count of what is sent"

        def __init__(self):
            self.names, self.bytes = [], 0

        def hello(self, way, hello):
            self.bytes += len(hello) if way == OUT else 0
            return hello

        def record(self, way, record):
            self.hit()
            if way == OUT:
                self.names.append(record.name)
                self.bytes += len(record.frame)
            return record.frame

        def end(self):
            assert self.names in (["SOURCE_EVIDENCE"], ["SOURCE_EVIDENCE", "ABORT"]), self.names
            # A hello, evidence of sim with its head, a reason.
            assert self.bytes <= 160 + (24 + 16 + 229 + 16) + (24 + 2048 + 16), self.bytes

    return Count()


@after("swap", "arrives", "two records of post-copy pages change places: the connection is replaced, the program whole")
def swap_pages(_long):
    class Swap(Pages):
        result = {"moved"}
        held = None

        def pages(self, record):
            if record.stream or self.hits:
                return record.frame
            if not self.held:
                self.held = record.frame
                return b""
            self.hit()
            frame, self.held = self.held, None
            return record.frame + frame

    return Swap()


@after("graft", "arrives", "one record of post-copy pages with another one's contents: replaced, whole")
def graft_pages(_long):
    """The contents of one record of pages under the head of another one."""

    class Graft(Pages):
        result = {"moved"}
        kept = None

        def pages(self, record):
            if record.stream or self.hits:
                return record.frame
            if not self.kept:
                self.kept = record
                return record.frame
            self.hit()
            return record.frame[:HEADER] + self.kept.frame[HEADER:]

    return Graft()


@after("flip", "arrives", "a bit of a post-copy page is changed: replaced, whole")
def flip_pages(_long):
    class Flip(Pages):
        result = {"moved"}

        def pages(self, record):
            if self.hits:
                return record.frame
            self.hit()
            return flip(record.frame, (HEADER + len(record.body) // 2) * 8)

    return Flip()


@after("withhold", "arrives", "pages are withheld for 3 s in post-copy: the program waits, and is whole")
def withhold(_long):
    class Withhold(Pages):
        result = {"moved"}
        until = None

        def pages(self, record):
            if not self.until:
                self.until = time.time() + 3
            time.sleep(max(0, self.until - time.time()))
            self.hit()
            return record.frame

    return Withhold()


@after("second-start", "arrives", "the start token, and all before it, said to a second destination too: nothing runs there")
def second_start(_long):
    """All that the source said, with its start token, goes to a second destination as well."""

    class Second(Attack):
        result = {"moved"}
        target = None  # the second daemon, set by the caller

        def __init__(self):
            self.said = {"bulk": b"", "urgent": b""}

        def line(self, way, line):
            if way == OUT:
                self.said["urgent" if b" urgent " in line else "bulk"] += line
            return line

        def hello(self, way, hello):
            if way == OUT:
                self.said["bulk"] += hello
            return hello

        def record(self, way, record):
            if way == OUT and record.stream == 0:
                self.said["bulk"] += record.frame
            if record.name == "START":
                self.answers = self.replay()
                self.hit()
            return record.frame

        def replay(self):
            ends = []
            for stream in ("bulk", "urgent"):
                end = socket.create_connection(self.target, timeout=3)
                ends.append(end)
                threading.Thread(target=self.feed, args=(end, self.said[stream]), daemon=True).start()
            answer = b""
            try:
                while len(answer) < 1 << 20:
                    data = ends[0].recv(65536)
                    if not data:
                        break
                    answer += data
            except OSError:
                pass
            return answer

        def feed(self, end, data):
            try:
                end.sendall(data)
            except OSError:
                pass

    return Second()


@after("start-twice", "arrives", "the start token comes twice: one program, whole")
def start_twice(_long):
    class Twice(Attack):
        mode, result = "precopy", {"moved"}

        def record(self, way, record):
            if record.name == "START":
                self.hit()
                return record.frame + record.frame
            return record.frame

    return Twice()


@after("start-late", "arrives", "the start token comes late, after the limit of the stop: one program, whole")
def start_late(_long):
    class Late(Attack):
        """START is held back for longer than the source's patience while stopped (5 s)."""

        result = {"moved"}

        def record(self, way, record):
            if record.name == "START":
                self.hit()
                time.sleep(6)
            return record.frame

    return Late()


@after("drip", "arrives", "bytes that drip: the move succeeds, whole")
def drip(long):
    if long:
        return Slow("the whole move in pieces of 1500 bytes", 1 << 40, 1500, 0.0001)
    return Slow("single bytes of the handshake", 450, 1, 0.002)


# ---- connections that break after the start token ----


class Cut(Attack):
    """Ends a connection at records of some types: before they pass, or after."""

    def __init__(self, mode, result, *names, times=1, every=1, passes=False, down=0):
        self.mode, self.result, self.names, self.times = mode, {result}, names, times
        self.every, self.passes, self.down = every, passes, down
        self.lock, self.committed, self.seen, self.until = threading.Lock(), False, 0, 0

    def line(self, way, line):
        if time.time() < self.until:
            raise EOFError
        return line

    def due(self, record):
        """Is it the turn of this one?"""
        self.committed |= record.name == "START"
        if not self.committed or record.name not in self.names or self.hits >= self.times:
            return False
        self.seen += 1
        return self.seen % self.every == 0

    def record(self, way, record):
        with self.lock:
            if not self.due(record):
                return record.frame
            self.hit()
            self.until = time.time() + self.down
        if self.passes:
            self.relay.bulk.sockets[1 - way].sendall(record.frame)
        raise EOFError


after("cut-start", "taken-back", "the connection breaks at START: the program runs on at the source, and moves")(lambda _long: Cut("hybrid", "failed", "START", down=0.4))
after("cut-after-start", "arrives", "the connection breaks after START: the move goes on, one program, whole")(lambda _long: Cut("postcopy", "moved", "START", passes=True, down=0.4))
after("cut-started", "arrives", "the connection breaks at STARTED: the move goes on, one program, whole")(lambda _long: Cut("postcopy", "moved", "STARTED", down=0.4))
after("cut-often", "arrives", "the connection breaks 20 times in post-copy: the program waits, and is whole")(lambda long: Cut("postcopy", "moved", "PAGES", times=300 if long else 20, every=4))
after("cut-requests", "arrives", "either connection breaks in post-copy: the program waits, and is whole")(lambda _long: Cut("postcopy", "moved", "REQUEST", "PAGES", times=6, every=3))
after("cut-end", "arrives", "the connection breaks when all was sent: whole")(lambda _long: Cut("postcopy", "moved", "PAGES_DONE", times=3))


@after("cut-resume", "arrives", "connections that replace broken ones break too: whole")
def cut_resume(_long):
    """Also the connections that replace broken ones break, at each of their first records."""

    class Resume(Cut):
        def __init__(self):
            super().__init__("postcopy", "moved", times=4)
            self.left = ["PAGES", "RESUME", "MISSING", "RESUMED"]

        def due(self, record):
            self.committed |= record.name == "START"
            if not self.committed or record.name != (self.left or [""])[0]:
                return False
            self.left.pop(0)
            return True

    return Resume()


@after("cut-start-resume", "taken-back", "the connection breaks at START, and again when the destination says that it never started: taken back")
def cut_start_resume(_long):
    """START never comes, nor does the first answer that says so."""

    class Answer(Cut):
        def __init__(self):
            super().__init__("hybrid", "failed")
            self.left = ["START", "ABORT", "RESUME"]

        def due(self, record):
            if record.name != (self.left or [""])[0]:
                return False
            self.left.pop(0)
            return True

    return Answer()


@after("replay-resume", "arrives", "what resumed the session once is said again: of no use, whole")
def replay_resume(_long):
    """What resumed the session once is said again, in place of what the source says the next time."""

    class Again(Cut):
        def __init__(self):
            super().__init__("postcopy", "moved", "PAGES", times=2, every=5)
            self.said = {}

        def resume_hello(self, way, hello):
            return self.again("hello", hello) if way == OUT else hello

        def again(self, what, data):
            if self.hits == 2 and what in self.said:
                return self.said.pop(what)
            if self.hits == 1:
                self.said[what] = data
            return data

        def record(self, way, record):
            data = super().record(way, record)
            return self.again("record", data) if record.name == "RESUME" else data

        def end(self):
            assert not self.said, "it was not said again"

    return Again()


@after("flip-resume", "arrives", "the hellos of a resumed session are changed: of no use, whole")
def flip_resume(_long):
    """Each byte of the hellos of a resumed session is changed once: what they begin comes to nothing."""

    class Flipped(Cut):
        def __init__(self):
            super().__init__("postcopy", "moved", "PAGES", every=5)
            self.byte = 0

        def resume_hello(self, way, hello):
            # The nonces last: with one changed the keys differ, which the first record shows.
            if way == OUT and self.byte < len(hello) and self.hits:
                self.byte += 16
                return flip(hello, (self.byte - 16) * 8)
            return hello

    return Flipped()
