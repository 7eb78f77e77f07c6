# SPDX-License-Identifier: Apache-2.0
"""The driver's side of bench/victim.c: orders and answers by files, gaps as the program saw them."""
import json
import os
import time


class VictimFailed(Exception):
    pass


class Victim:
    def __init__(self, directory, mib, share, spread, rate, pace_us, huge):
        self.directory = directory
        self.mib = mib
        self.pace_us = pace_us
        self.orders = 0
        self.gone = lambda: False  # set by the owner: has the program ended?
        self.arguments = ["dir=" + directory, "mib=%d" % mib, "share=%d" % share, "spread=%d" % spread,
                          "rate=%d" % rate, "pace_us=%d" % pace_us, "huge=%d" % huge]
        os.makedirs(directory)

    def _wait(self, leaf, seconds):
        path = os.path.join(self.directory, leaf)
        end = time.monotonic() + seconds
        polls = 0
        while not os.path.exists(path):
            polls += 1
            if time.monotonic() > end:
                raise VictimFailed("the program has not made %s in %d s" % (leaf, seconds))
            if polls % 50 == 0 and self.gone() and not os.path.exists(path):
                raise VictimFailed("the program has ended")
            time.sleep(0.01)
        with open(path) as file:
            return file.read()

    def wait_ready(self):
        self._wait("ready", 60 + self.mib / 50)

    def ask(self):
        """What it saw since the last time."""
        self.orders += 1
        open(os.path.join(self.directory, "order.%d" % self.orders), "w").close()
        answer = json.loads(self._wait("answer.%d" % self.orders, 60))
        os.unlink(os.path.join(self.directory, "answer.%d" % self.orders))
        return answer

    def stop(self):
        """Its check of all of its memory."""
        open(os.path.join(self.directory, "stop"), "w").close()
        return json.loads(self._wait("end", 60 + self.mib / 50))


def longest_ms(gaps, begin_ns, end_ns, pace_us=0):
    """The longest gap that overlaps [begin, end], less the reader's own sleep."""
    lengths = [length for start, length in gaps if start + length > begin_ns and start < end_ns]
    return max(0.0, max(lengths, default=0) / 1e6 - pace_us / 1000)


def phase_of_longest(gaps, begin_ns, end_ns, stop_ns, resume_ns):
    """In which phase the longest gap began, or during which it was: pre-copy, switchover or post-copy."""
    inside = [(length, start) for start, length in gaps if start + length > begin_ns and start < end_ns]
    if not inside:
        return None
    length, start = max(inside)
    if start < resume_ns and start + length > stop_ns:
        return "switchover"
    return "pre-copy" if start < stop_ns else "post-copy"


def rate_per_s(answers, begin_ns, end_ns):
    """Pages written a second in whole bins inside [begin, end]; None if there are none."""
    total = bins = 0
    for answer in answers:
        width = answer["bin_ms"] * 1000000
        for i, count in enumerate(answer["bins"]):
            start = answer["bins_begin_ns"] + i * width
            if start >= begin_ns and start + width <= end_ns:
                total += count
                bins += 1
    return round(total / (bins * answers[0]["bin_ms"] / 1000)) if bins else None
