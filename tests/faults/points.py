# SPDX-License-Identifier: Apache-2.0
"""The points at which something breaks: at a record of a move, on its way, before it arrives or behind it.

A point's name says all of it: MODE-MESSAGE-NUMBER-before|after-FAULT; --point repeats it.
"""
import collections
import signal
import sys
import threading
import time

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/adversary")
from relay import Attack  # noqa: E402

Point = collections.namedtuple("Point", "mode message number when fault")
STOPPED_s, SILENT_s, DEAD_s = 0.7, 1.0, 25


def name_of(point):
    return "-".join(str(part) for part in point)


# ---- faults: each is told the trial; what is returned undoes it when the move has ended ----


def kill_process(side):
    def fault(trial):
        trial.killed.add(side)
        trial.host(side).signal_processes(signal.SIGKILL)
    return fault


def kill_daemon(side):
    def fault(trial):
        trial.killed_daemons.add(side)
        trial.host(side).signal_daemon(signal.SIGKILL)
    return fault


def stop(side, daemon):
    def fault(trial):
        host = trial.host(side)
        send = host.signal_daemon if daemon else host.signal_processes
        send(signal.SIGSTOP)
        timer = threading.Timer(STOPPED_s, send, (signal.SIGCONT,))
        timer.start()
        return timer.join
    return fault


def fill_disk(side):
    def fault(trial):
        trial.host(side).fill_disk()
        return trial.host(side).empty_disk
    return fault


def use_up_memory(side):
    def fault(trial):
        trial.host(side).limit_memory()
    return fault


def cut(trial):
    trial.relay.cut()


def silence(trial):
    trial.relay.hold(SILENT_s)


def silence_for_long(trial):
    """Longer than all limits on connections; then it is back, with none of the connections of before."""
    trial.relay.hold(DEAD_s)
    timer = threading.Timer(DEAD_s, trial.relay.cut)
    timer.start()
    return timer.cancel


FAULTS = {"cut": cut, "silence": silence, "dead-network": silence_for_long}
for side in ("source", "destination"):
    FAULTS["kill-%s" % side] = kill_process(side)
    FAULTS["kill-%s-daemon" % side] = kill_daemon(side)
    FAULTS["stop-%s" % side] = stop(side, False)
    FAULTS["stop-%s-daemon" % side] = stop(side, True)
    FAULTS["full-disk-%s" % side] = fill_disk(side)
    FAULTS["no-memory-%s" % side] = use_up_memory(side)

# The records of a move in their order; with a number: the so-maniest of that type.
EARLY = ["SOURCE_EVIDENCE", "DESTINATION_EVIDENCE", "PREPARE", "READY"]
COPYING = [("PAGES", 1), ("PAGES", 9), ("PAGES", 25), ("PONG", 1)]
STOPPED = ["LAYOUT", "LIST", "LIST_END", "LISTED", "RESTORE", "RESTORED", "START", "STARTED"]
DRAINING = ["PAGES_DONE", "RECEIPT", "DEPARTED", "ARRIVED"]
MODES = {
    "hybrid": EARLY + COPYING + STOPPED + DRAINING,
    "postcopy": ["LISTED", "RESTORED", "START", "STARTED", ("PAGES", 1), ("PAGES", 5), ("PAGES", 20), ("REQUEST", 1), ("REQUEST", 3),
                 "PAGES_DONE", "RECEIPT"],
    "stopcopy": [("PAGES", 1), ("PAGES", 20), "RESTORE", "RESTORED", "START", "STARTED"],
    "precopy": [("PAGES", 20), "RESTORE", "START", "STARTED", "RECEIPT"],
}


# Slow ones, up to a minute each, until a limit is over.
SLOW = {"dead-network"}
DEAD = {("hybrid", "PREPARE"), ("hybrid", "LIST"), ("hybrid", "RESTORED"), ("hybrid", "START"), ("hybrid", "STARTED"), ("hybrid", "RECEIPT"),
        ("postcopy", "START"), ("postcopy", "PAGES"), ("postcopy", "REQUEST"), ("postcopy", "PAGES_DONE"), ("stopcopy", "STARTED"),
        ("precopy", "PAGES"), ("precopy", "START")}


def is_point(point, number):
    if point.fault in SLOW:
        return point.when == "before" and (point.mode, point.message) in DEAD
    # Hybrid has all; of the other modes the half is enough.
    return point.mode == "hybrid" or (point.when == "after") == (number % 2 == 0)


def all_points():
    points = []
    for mode, messages in MODES.items():
        for message in messages:
            message, number = message if isinstance(message, tuple) else (message, 1)
            for fault in FAULTS:
                for when in ("before", "after"):
                    point = Point(mode, message, number, when, fault)
                    if is_point(point, len(points)):
                        points.append(point)
    return points


class AtPoint(Attack):
    """Does it, once.  What else passes is noted."""

    def __init__(self, point, trial):
        self.point, self.trial, self.lock, self.undo = point, trial, threading.Lock(), None
        self.left, self.seen, self.until = point.number, set(), 0

    def line(self, way, line):
        self.wait()
        return line

    def resume_hello(self, way, hello):
        self.wait()
        return hello

    def wait(self):
        """While the network is silent nothing passes."""
        while time.time() < self.until:
            if self.trial.relay.back:
                raise EOFError
            time.sleep(0.01)

    def due(self, record):
        with self.lock:
            self.seen.add(record.name)
            if record.name == self.point.message and not self.hits:
                self.left -= 1
                if self.left == 0:
                    self.hit()
                    return True
        return False

    def record(self, way, record):
        if not self.due(record):
            self.wait()
            return record.frame
        if self.point.when == "after":
            self.pass_on(way, record)
        self.undo = FAULTS[self.point.fault](self.trial)
        self.wait()
        return record.frame if self.point.when == "before" else b""

    def pass_on(self, way, record):
        link = next(link for link in reversed(self.trial.relay.links) if link.stream == ("urgent" if record.stream else "bulk"))
        link.sockets[1 - way].sendall(record.frame)

    def end(self):
        if self.undo:
            self.undo()
