# SPDX-License-Identifier: Apache-2.0
"""CRIU on the same program in the same run, where the environment variable CRIU names one that works.

dump+restore  stop-and-copy through images in a tmpfs
lazy-pages    post-copy from a page server; source and destination are on one machine, so the destination gets
              a PID namespace of its own
"""
import os
import shutil
import signal
import subprocess
import tempfile
import time

import hosts
import machine
from sweep import SETTLE_S, WRITERS, memory_needed_mib, say, text_mib
from victims import Victim, VictimFailed, longest_ms

SIZES_MAX_MIB = 4096
LAZY_LIMIT_S = 180
MEMORY = "/dev/shm"


class CriuFailed(Exception):
    pass


def why_not(criu):
    """None if it works here."""
    if not criu:
        return "CRIU= names none"
    try:
        done = subprocess.run([criu, "check"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "%s: %s" % (criu, error)
    if done.returncode:
        return "%s check: %s" % (criu, (done.stderr or done.stdout).strip()[-300:])
    return None


def lazy_obstacle():
    """Its page server keeps all memory in pipes, larger ones than everybody may have.  None: nothing is in the way."""
    def number(path, key, base):
        with open(path) as file:
            return int([line for line in file if line.startswith(key)][0][len(key):], base)

    cap_sys_resource = 24
    if number("/proc/self/status", "CapEff:", 16) >> cap_sys_resource & 1:
        return None
    largest, most = number("/proc/sys/fs/pipe-max-size", "", 10), number("/proc/sys/fs/pipe-user-pages-soft", "", 10)
    if largest >= 4 << 20 and not most:
        return None
    return "without CAP_SYS_RESOURCE it needs: sysctl fs.pipe-max-size=4194304 fs.pipe-user-pages-soft=0"


class Trial:
    """One native victim, dumped and restored once."""

    def __init__(self, criu, programs, plan, mib, writer):
        share, spread = WRITERS[writer]
        pace_us = plan["pace_us"] if plan["pace_us"] is not None else 0 if share else 1000
        self.criu = criu
        self.directory = tempfile.mkdtemp(prefix="optmig-criu.", dir=MEMORY)
        self.images = os.path.join(self.directory, "images")
        os.mkdir(self.images)
        self.children = []
        self.victim = Victim(os.path.join(self.directory, "victim"), mib, share, spread, plan["rate"], pace_us,
                             int(plan["huge"]))
        self.process = subprocess.Popen([programs["victim"]] + self.victim.arguments, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid
        self.victim.wait_ready()
        self.victim.ask()
        time.sleep(SETTLE_S)

    def command(self, action, *options):
        return [self.criu, action, "-D", self.images, "-o", action + ".log", "-v1"] + list(options)

    def call(self, action, *options):
        done = subprocess.run(self.command(action, *options), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=300)
        if done.returncode:
            self.complain(action)

    def complain(self, action):
        try:
            with open(os.path.join(self.images, action + ".log"), errors="replace") as log:
                text = log.read().strip()[-300:]
        except OSError:
            text = "no log"
        raise CriuFailed("criu %s: %s" % (action, text))

    def dump_restore(self):
        self.call("dump", "-t", str(self.pid))
        self.process.wait()  # or it would keep the process number
        self.call("restore", "-d")

    def start(self, command, **options):
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, **options)
        self.children.append(child)
        return child

    def lazy_pages(self):
        server = ["--address", "127.0.0.1", "--port", str(hosts.free_ports(1, 26000)[0])]
        reader, writer = os.pipe()
        self.start(self.command("dump", "-t", str(self.pid), "--lazy-pages", "--status-fd", str(writer), *server),
                   pass_fds=(writer,))
        os.close(writer)
        ready = os.read(reader, 1)
        os.close(reader)
        if not ready:
            self.complain("dump")
        lazy = self.start(self.command("lazy-pages", "--page-server", *server), cwd=self.images)
        end = time.monotonic() + 20
        while not os.path.exists(os.path.join(self.images, "lazy-pages.socket")):
            if lazy.poll() is not None or time.monotonic() > end:
                self.complain("lazy-pages")
            time.sleep(0.001)
        restore = self.start(["unshare", "--pid", "--fork", "--mount-proc"] + self.command("restore", "--lazy-pages"),
                             cwd=self.images)
        try:
            if lazy.wait(LAZY_LIMIT_S):
                self.complain("lazy-pages")
        except subprocess.TimeoutExpired:
            raise CriuFailed("lazy-pages: pages still missing after %d s" % LAZY_LIMIT_S)
        if restore.poll() is not None:
            self.complain("restore")

    def run(self, mode):
        begin_ns = time.time_ns()
        self.dump_restore() if mode == "criu-dump-restore" else self.lazy_pages()
        end_ns = time.time_ns()
        time.sleep(0.3)
        answer = self.victim.ask()
        gap_ms = longest_ms(answer["gaps"], begin_ns, end_ns, self.victim.pace_us)
        if not self.victim.stop()["ok"]:
            raise VictimFailed("its memory is wrong after %s" % mode)
        return {"gap_ms": gap_ms, "total_ms": (end_ns - begin_ns) / 1e6}

    def end(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for child in self.children + [self.process]:
            child.kill() if child.poll() is None else None
            child.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def run_one(criu, programs, plan, mib, writer, mode, result):
    label = "%s, writer %s" % (text_mib(mib), writer)
    trial = None
    try:
        trial = Trial(criu, programs, plan, mib, writer)
        row = dict(trial.run(mode), mib=mib, writer=writer, mode=mode)
        result["criu"]["runs"].append(row)
        say("%-28s %-17s gap %.1f ms, total %.2f s" % (label, mode, row["gap_ms"], row["total_ms"] / 1000))
    except (CriuFailed, VictimFailed, OSError, subprocess.TimeoutExpired) as error:
        say("%s, %s: %s" % (label, mode, error))
        result["criu"]["failures"].append("%s, %s: %s" % (label, mode, error))
    finally:
        if trial:
            trial.end()


def run(plan, programs, result):
    criu = os.environ.get("CRIU", "")
    reason = why_not(criu)
    if reason:
        say("CRIU: skipped: " + reason)
        result["skipped"].append("CRIU: " + reason)
        return
    result["criu"] = {"program": criu, "runs": [], "failures": []}
    modes = ["criu-dump-restore", "criu-lazy-pages"]
    reason = lazy_obstacle()
    if reason:
        say("CRIU lazy-pages: skipped: " + reason)
        result["skipped"].append("CRIU lazy-pages: " + reason)
        modes.pop()
    for mib in plan["sizes_mib"]:
        tmpfs = os.statvfs(MEMORY)
        room = min(machine.available_mib(), tmpfs.f_bavail * tmpfs.f_frsize >> 20)
        if mib > SIZES_MAX_MIB or room < memory_needed_mib(mib):
            result["skipped"].append("CRIU, %s: too large for memory or for the time" % text_mib(mib))
            continue
        for _ in range(plan["repeat"]):
            for writer in [writer for writer in ("none", "10%") if writer in plan["writers"]]:
                for mode in modes:
                    run_one(criu, programs, plan, mib, writer, mode, result)
