# SPDX-License-Identifier: Apache-2.0
"""Moves of one program after the other, its modes interleaved."""
import subprocess
import sys
import time

import machine
from hosts import CommandFailed
from victims import Victim, VictimFailed, longest_ms, phase_of_longest, rate_per_s

# name: percent of the footprint that the writer keeps rewriting, spread over all of it
WRITERS = {
    "none": (0, 0),
    "1%": (1, 0),
    "10%": (10, 0),
    "10%-spread": (10, 1),
    "all-out": (100, 0),
}
SETTLE_S = 1.0  # undisturbed, before each move: the machine's own noise


def say(text):
    print(text, file=sys.stderr, flush=True)


def text_mib(mib):
    return "%d GiB" % (mib // 1024) if mib >= 1024 and mib % 1024 == 0 else "%d MiB" % mib


def memory_needed_mib(mib):
    """Source and destination at once, and something for the rest of the machine."""
    return int(mib * 2.1) + 800


def schedule(plan, writer):
    """Modes of one series, in order: each repeat has every mode once, begun by another one each time."""
    modes, order = plan["modes"], []
    for turn in range(plan["repeat"]):
        order += modes[turn % len(modes):] + modes[:turn % len(modes)]
    if "hybrid" in modes and writer == "10%":
        order += ["hybrid"] * (plan["repeat_hybrid_10"] - plan["repeat"])
    return order


class Series:
    """One program with one footprint and one writer, started once and moved to and fro."""

    def __init__(self, plan, pair, programs, mib, writer):
        self.plan, self.pair, self.mib, self.writer = plan, pair, mib, writer
        self.fill = [programs["fill"], str(int(mib * 1.1) + 64)] if plan["fill"] else None
        share, spread = WRITERS[writer]
        pace_us = plan["pace_us"]
        if pace_us is None:
            pace_us = 0 if share else 1000
        self.name = "v%d-%s" % (mib, writer.replace("%", "pc"))
        self.victim = Victim(pair.path(self.name), mib, share, spread, plan["rate"], pace_us, int(plan["huge"]))
        self.here = "alpha"
        pair.optmig("alpha", "run", "--name", self.name, "--detach", "--", programs["victim"], *self.victim.arguments)
        self.victim.gone = self._gone
        self.victim.wait_ready()

    def _gone(self):
        try:
            return '"running"' not in self.pair.optmig(self.here, "status", self.name, "--json")
        except CommandFailed:
            return True

    def move(self, mode):
        """One row of the results."""
        noise_ns = time.time_ns()
        time.sleep(SETTLE_S)
        if self.fill:
            subprocess.run(self.fill, check=True)
        before = self.victim.ask()
        begin_ns = time.time_ns()
        self.here, report = self.pair.migrate(self.name, self.here, mode, self.plan["tracker"], 120 + self.mib / 20)
        end_ns = time.time_ns()
        time.sleep(0.3)
        after = self.victim.ask()
        stop_ns, resume_ns = report["stop_realtime_ns"], report["resume_realtime_ns"]
        gaps, pace_us = before["gaps"] + after["gaps"], self.victim.pace_us
        stalls = before["writer_gaps"] + after["writer_gaps"]
        second = 10**9
        return {
            "mib": self.mib, "writer": self.writer, "mode": mode, "report": report,
            "gap_ms": longest_ms(gaps, begin_ns, end_ns, pace_us),
            "gap_phase": phase_of_longest(gaps, begin_ns, end_ns, stop_ns, resume_ns),
            "switch_gap_ms": longest_ms(gaps, stop_ns, resume_ns, pace_us),
            "noise_ms": longest_ms(gaps, noise_ns, begin_ns, pace_us),
            "writer_stall_ms": longest_ms(stalls, begin_ns, end_ns),
            "writer_before_per_s": rate_per_s([before], noise_ns, noise_ns + second * SETTLE_S),
            "writer_precopy_per_s": rate_per_s([before, after], begin_ns, stop_ns),
            "writer_postcopy_per_s": rate_per_s([before, after], resume_ns, end_ns),
        }

    def end(self):
        check = self.victim.stop()
        if not check["ok"]:
            raise VictimFailed("%d of %d pages are wrong; %d writes, %d found" % (
                check["wrong_pages"], check["pages"], check["writes"], check["generations"]))

    def discard(self):
        for host in ("alpha", "beta"):
            try:
                self.pair.optmig(host, "stop", self.name, "--timeout", "1s")
            except CommandFailed:
                pass


def describe(row):
    report = row["report"]
    return "downtime %.1f ms (reported %.1f), longest gap %.1f ms (%s), total %.2f s" % (
        row["switch_gap_ms"], report["downtime_ms"], row["gap_ms"], row["gap_phase"], report["total_ms"] / 1000)


def run_series(plan, pair, programs, mib, writer, result):
    label = "%s, writer %s" % (text_mib(mib), writer)
    series = None
    try:
        series = Series(plan, pair, programs, mib, writer)
        series.move("hybrid")  # warms up both sides; not counted
        for mode in schedule(plan, writer):
            row = series.move(mode)
            result["moves"].append(row)
            say("%-28s %-9s %s" % (label, mode, describe(row)))
        series.end()
    except (CommandFailed, VictimFailed, KeyError, ValueError) as error:
        if isinstance(error, KeyError):
            error = "the report has no %s" % error
        say("%s: FAILED: %s" % (label, error))
        result["failures"].append("%s: %s" % (label, error))
    finally:
        if series:
            series.discard()


def run(plan, pair, programs, result):
    for mib in plan["sizes_mib"]:
        for writer in plan["writers"]:
            free = machine.available_mib()
            if free < memory_needed_mib(mib):
                text = "%s, writer %s: needs %d MiB of free memory, there are %d" % (
                    text_mib(mib), writer, memory_needed_mib(mib), free)
                say("skipped: " + text)
                result["skipped"].append(text)
                continue
            run_series(plan, pair, programs, mib, writer, result)
