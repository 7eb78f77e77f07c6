# SPDX-License-Identifier: Apache-2.0
"""Two hosts whose processes, disk and memory can be spoilt: daemons, their host processes, a program that knows its memory."""
import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
DISK_bytes = 4 << 20
WATCH_s, SWITCHES_OF_WAKING = 0.06, 8  # Who is stopped and goes on, parked, sleeps once more.
NAME = "walker"


class Broken(Exception):
    """The harness itself cannot go on."""


def until(seconds, condition, *arguments):
    """The first value that is true, or the last one."""
    end = time.time() + seconds
    while True:
        value = condition(*arguments)
        if value or time.time() > end:
            return value
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """One daemon, with a small disk of its own for its state, and the host processes that it has made."""

    def __init__(self, build, place, name):
        self.build, self.name, self.state, self.daemon = build, name, place / name, None
        self.group = pathlib.Path("/sys/fs/cgroup/memory/optmig-faults-%d-%s" % (os.getpid(), place.name + name))
        self.state.mkdir(mode=0o700)
        self.mounted = LIBC.mount(b"tmpfs", os.fsencode(self.state), b"tmpfs", 0, b"size=%d,mode=700" % DISK_bytes) == 0
        self.log = open(place / (name + ".log"), "ab")

    def start(self, reconnect):
        self.reconnect = reconnect
        self.port = free_port()
        self.daemon = subprocess.Popen(
            [self.build + "/optmigd", "--state", self.state, "--listen", "127.0.0.1:%d" % self.port, "--reconnect", reconnect],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        answer = self.optmig("ping", "--wait", "10s", seconds=15)
        if not answer.get("ok"):
            raise Broken("%s: the daemon does not come up: %s" % (self.name, answer))

    def lives(self):
        return self.daemon is not None and self.daemon.poll() is None

    def end(self):
        self.empty_disk()
        if self.lives():
            self.daemon.terminate()
            try:
                self.daemon.wait(10)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
        self.kill_processes()
        if self.daemon:
            self.daemon.wait()
        self.daemon = None

    def close(self):
        self.end()
        if self.mounted:
            LIBC.umount2(os.fsencode(self.state), 2)
        self.log.close()
        try:
            self.group.rmdir()
        except OSError:
            pass

    def optmig(self, *words, seconds=30):
        command = [self.build + "/optmig", "--host", str(self.state), "--json", *words]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
            answer = json.loads(done.stdout.splitlines()[-1])
        except subprocess.TimeoutExpired:
            return {"ok": False, "error": "no end after %d s" % seconds, "timed_out": True}
        except (ValueError, IndexError):
            return {"ok": False, "error": done.stderr.decode(errors="replace")[-300:]}
        answer["status"] = done.returncode
        return answer

    def enclave(self, name=NAME):
        return self.optmig("status", name).get("enclave", {"state": "unknown"})

    # ---- its processes: they name the key in the state directory ----

    def processes(self):
        key, found = b"%s/sim.key" % os.fsencode(self.state), []
        for place in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words and words[0].endswith(b"optmig-host") and key in words:
                found.append(int(place.name))
        return found

    def switches(self):
        """How often threads of the program have slept, all together."""
        total = 0
        for pid in self.processes():
            for task in pathlib.Path("/proc/%d/task" % pid).glob("*"):
                try:
                    if (task / "comm").read_text().strip() == "pagewalk":
                        total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])
                except (OSError, TypeError):
                    pass
        return total

    def signal_processes(self, number):
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill_processes(self):
        until(5, lambda: self.signal_processes(signal.SIGKILL) or not self.processes())

    def signal_daemon(self, number):
        if self.lives():
            self.daemon.send_signal(number)

    # ---- what can be used up ----

    def fill_disk(self):
        with open(self.state / "full", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass

    def empty_disk(self):
        try:
            (self.state / "full").unlink()
        except OSError:
            pass

    def limit_memory(self):
        """No further address space; and of new pages no more than a MiB, above which the kernel kills."""
        for pid in self.processes():
            subprocess.run(["prlimit", "--pid", str(pid), "--as=%d" % (1 << 20)], check=False, stderr=subprocess.DEVNULL)
        try:
            self.group.mkdir(exist_ok=True)
            (self.group / "memory.limit_in_bytes").write_text("%d" % (1 << 20))
            for pid in self.processes():
                (self.group / "cgroup.procs").write_text("%d" % pid)
        except OSError:
            pass  # There is no such controller here.


class Program:
    """tests/victims/pagewalk, which computes what each word of its memory has to be."""

    def __init__(self, host, place, number):
        self.directory, self.asked = place / ("walker.%d" % number), 0
        self.directory.mkdir()
        started = host.optmig("run", "--name", NAME, "--detach", "--", host.build + "/tests/victims/pagewalk",
                              "dir=%s" % self.directory, "mib=8", "threads=2", "rate=3000", "order=random")
        if not until(20, (self.directory / "ready").exists):
            raise Broken("the program does not start: %s" % started)

    def check(self, seconds=15):
        """(bytes compared, what is wrong)"""
        self.asked += 1
        (self.directory / ("check.%d" % self.asked)).touch()
        answer = self.directory / ("result.%d" % self.asked)
        if not until(seconds, answer.exists):
            return 0, "it gives no answer"
        lines = answer.read_text().split()
        facts = dict(line.split("=", 1) for line in lines if "=" in line)
        if lines[-1] != "ok":
            return 0, "its memory is wrong: %s" % " ".join(lines)
        return int(facts["pages"]) * 4096, ""
