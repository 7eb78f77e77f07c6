# SPDX-License-Identifier: Apache-2.0
"""One move with one fault, and what must be true afterwards."""
import collections
import sys
import threading
import time

from hosts import NAME, SWITCHES_OF_WAKING, WATCH_s, Program, until
from points import SLOW, AtPoint

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/adversary")
from relay import Relay  # noqa: E402

MOVE_s, SETTLES_s = 100, 12
Outcome = collections.namedtuple("Outcome", "place bytes wrong seconds report")


class FaultyRelay(Relay):
    """The network between the two hosts."""

    def __init__(self, target):
        super().__init__(target)
        self.back = False

    def cut(self):
        self.back = True  # Who waits in the silence is cut off, and the next connection passes.
        self.attack.until = 0
        for link in list(self.links):
            link.close()
        self.back = False

    def hold(self, seconds):
        self.attack.until = time.time() + seconds


class Trial:
    def __init__(self, pair, point, number):
        self.pair, self.point = pair, point
        self.killed, self.killed_daemons = set(), set()
        self.program = Program(pair["alpha"], pair["place"], number)
        self.relay = FaultyRelay(("127.0.0.1", pair["beta"].port))
        self.attack = AtPoint(point, self)
        self.relay.set(self.attack)
        self.twice, self.over = 0, False

    def host(self, side):
        return self.pair["alpha" if side == "source" else "beta"]

    def running(self):
        """The hosts in which the program makes progress just now."""
        before = {name: self.pair[name].switches() for name in ("alpha", "beta")}
        time.sleep(WATCH_s)
        return [name for name in before if self.pair[name].switches() > before[name] + SWITCHES_OF_WAKING]

    def watch(self):
        """Both in one window can be the hand-over; both in two that follow each other are two programs."""
        following = 0
        while not self.over:
            following = following + 1 if len(self.running()) == 2 else 0
            self.twice = max(self.twice, following)

    def move(self):
        watcher = threading.Thread(target=self.watch, daemon=True)
        watcher.start()
        report = self.pair["alpha"].optmig("migrate", NAME, "--to", self.relay.address, "--mode", self.point.mode, seconds=MOVE_s)
        self.attack.end()
        if report.get("result") == "in doubt":
            report = self.resume(report)
        self.report = report
        places = self.settle()
        self.over = True
        watcher.join()
        return report, places

    def resume(self, report):
        """The network is back: what was in doubt is settled, if both live."""
        again = self.pair["alpha"].optmig("migrate", NAME, "--resume", seconds=MOVE_s)
        return again if "result" in again else report

    def settle(self):
        """Where it runs when nothing changes any more."""
        places = []
        end = time.time() + SETTLES_s
        while time.time() < end:
            places = self.running()
            if len(places) == 1 and places == self.running():
                break
            if not places and self.is_over():
                break
        return places

    def is_over(self):
        """No process has it, or may still get it."""
        alive = [name for name in ("alpha", "beta") if self.pair[name].processes()]
        return not alive or (self.may_be_gone() and time.time() > self.gone_since() + 3)

    def gone_since(self):
        self.first_gone = getattr(self, "first_gone", time.time())
        return self.first_gone

    def may_be_gone(self):
        """The fault has taken the process that had it, or what it still needed."""
        committed = "START" in self.attack.seen
        return ("source" in self.killed or ("destination" in self.killed and committed) or
                self.point.fault == "no-memory-source" or (self.memory_gone() and committed))

    def memory_gone(self):
        return self.point.fault.startswith("no-memory")

    def judge(self):
        begun = time.time()
        report, places = self.move()
        compared, wrong = 0, self.find_wrong(report, places)
        if not wrong and places:
            compared, wrong = self.program.check()
        if not wrong:
            wrong = self.find_left(places)
        self.relay.close()
        place = "+".join("source" if name == "alpha" else "destination" for name in places) or "nowhere"
        return Outcome(place, compared, wrong, time.time() - begun, report)

    def find_wrong(self, report, places):
        if not self.attack.hits:
            return "the point was not reached: %s" % (report.get("reason") or report.get("error"))
        if self.twice > 1 or len(places) > 1:
            return "two programs run"
        if report.get("timed_out"):
            return "the move never ended"
        if not places:
            return self.find_wrong_end(report)
        said = report.get("result")
        if self.killed_daemons or said is None:
            return ""  # Nobody is there to say it, or to know.
        if places == ["alpha"] and said not in ("failed", "refused"):
            return "it runs at the source, and the report says %s" % said
        if places == ["beta"] and said != "moved" and not (said in ("lost", "in doubt") and self.killed):
            return "it runs at the destination, and the report says %s: %s" % (said, report.get("reason"))
        return ""

    def find_wrong_end(self, report):
        """It runs nowhere: only if a process that had it was taken away, and it has to be said."""
        if not self.may_be_gone():
            return "it runs nowhere; the report says %s: %s" % (report.get("result"), report.get("reason") or report.get("error"))
        if self.killed_daemons:
            return ""
        states = [self.pair[name].enclave() for name in ("alpha", "beta")]
        said = report.get("result") in ("lost", "in doubt") or any(
            state["state"] in ("lost", "exited") or state.get("waiting") for state in states)
        return "" if said else "it runs nowhere, and nobody says so: %s, %s" % (report.get("result"), [s["state"] for s in states])

    def find_left(self, places):
        """Host processes that have no program to run any more, when all has ended."""
        def left():
            return [name for name in ("alpha", "beta")
                    if len(self.pair[name].processes()) > (1 if name in places else 0)]
        if not places or self.killed_daemons:
            return ""
        # Who never started waits for the source to ask, as long as the daemon says (--reconnect).
        until(80 if self.point.fault in SLOW else 10, lambda: not left())
        return "a process is left at %s" % left() if left() else ""
