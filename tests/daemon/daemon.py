#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of optmigd and optmig around a host process without an enclave (tests/fakes/fake_enclave.c).

usage: tests/daemon/daemon.py BUILD_DIR [unittest options]

Every daemon must end with status 0 and without a word of a sanitizer.
"""
import json
import os
import pty
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "build"
OPTMIG = os.path.join(BUILD, "optmig")
OPTMIGD = os.path.join(BUILD, "optmigd")
PATIENCE = 60
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("OPTMIG", "FAKE_"))}
ENVIRONMENT["OPTMIG_HOST_PROGRAM"] = os.path.join(BUILD, "tests", "fake-host")
REPORT_KEYS = """name mode tracker platform memory_bytes pages rounds bytes_sent total_ms downtime_ms
    stop_ms capture_ms transfer_ms commit_ms resume_ms postcopy_pages postcopy_ms
    throughput_bytes_per_s result reason zero_pages urgent_pages switchover_pages prepare_ms
    precopy_ms stop_realtime_ns resume_realtime_ns from to session phase_reached""".split()


def until(condition, seconds=PATIENCE):
    """Polls; the condition's value, which a test then asserts."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.01)


class Daemon:
    def __init__(self, directory, *options, environment=None, listen="127.0.0.1:0"):
        self.state = directory
        self.log_path = directory + ".log"
        arguments = [OPTMIGD, "--state", directory, *options]
        if listen:
            arguments += ["--listen", listen]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**ENVIRONMENT, **(environment or {})})
        reply = self.json("ping", "--wait", "20s")
        self.address = reply.get("listen")

    def start(self, *arguments, environment=None, **options):
        return subprocess.Popen([OPTMIG, "--host", self.state, *arguments], env={**ENVIRONMENT, **(environment or {})},
                                **options)

    def run(self, *arguments, environment=None, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([OPTMIG, "--host", self.state, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, env={**ENVIRONMENT, **(environment or {})}, **options)

    def json(self, *arguments, **options):
        result = self.run(*arguments, "--json", **options)
        return json.loads(result.stdout) if result.stdout else {}

    def enclaves(self):
        return {e["name"]: e for e in self.json("ls")["enclaves"]}

    def status(self, name):
        return self.json("status", name).get("enclave", {})

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(os.path.join(self.state, "control.sock"))
        s.settimeout(PATIENCE)
        return s

    def ask(self, line):
        with self.connect() as s:
            s.sendall(line)
            return read_line(s)

    def knock(self):
        host, port = self.address.rsplit(":", 1)
        s = socket.create_connection((host, int(port)), PATIENCE)
        return s

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def end(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(PATIENCE)


def read_line(s):
    data = b""
    while not data.endswith(b"\n"):
        piece = s.recv(65536)
        if not piece:
            break
        data += piece
    return data.decode()


class DaemonTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="omd.")
        self.daemons = []
        self.processes = []

    def daemon(self, name, *options, **more):
        daemon = Daemon(os.path.join(self.directory, name), *options, **more)
        self.daemons.append(daemon)
        return daemon

    def pair(self, **more):
        return self.daemon("a", **more), self.daemon("b", **more)

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)
            for pipe in (process.stdout, process.stderr, process.stdin):
                if pipe:
                    pipe.close()
        for daemon in self.daemons:
            crashed = daemon.process.poll()
            status = daemon.end()
            if crashed != -signal.SIGKILL:
                self.assertEqual(status, 0, daemon.log())
            self.assertNotIn("Sanitizer", daemon.log())
            self.assertNotIn("runtime error", daemon.log())
        shutil.rmtree(self.directory)

    def detach(self, daemon, name="kv", program=("sleep", "1000"), environment=None):
        result = daemon.run("run", "--name", name, "--detach", "--", *program, environment=environment)
        self.assertEqual((result.returncode, result.stdout), (0, name + "\n"), result.stderr)

    def migrate(self, source, to, *options, name="kv"):
        result = source.run("migrate", name, "--to", to, "--json", *options)
        report = json.loads(result.stdout)
        for key in REPORT_KEYS:
            self.assertIn(key, report)
        return result.returncode, report

    def background(self, *arguments, **options):
        process = subprocess.Popen(*arguments, **options)
        self.processes.append(process)
        return process

    def begin_move(self, source, target, name="kv"):
        process = source.start("migrate", name, "--to", target.address, "--json", stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def reach(self, daemon, phase, name="kv"):
        self.assertTrue(until(lambda: daemon.status(name).get("move", {}).get("phase") == phase), phase)

    def ended(self, process):
        output = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, json.loads(output)


class State(DaemonTest):
    def test_files_of_the_state_directory(self):
        a = self.daemon("a")
        mode = lambda path: stat.S_IMODE(os.stat(os.path.join(a.state, path)).st_mode)
        self.assertEqual(mode(""), 0o700)
        self.assertEqual(mode("control.sock"), 0o600)
        self.assertEqual(mode("sim.key"), 0o600)
        with open(os.path.join(a.state, "sim.key"), "rb") as key:
            first = key.read()
        self.assertEqual(len(first), 32)
        self.assertEqual(a.end(), 0)
        self.assertFalse(os.path.exists(os.path.join(a.state, "control.sock")))
        again = self.daemon("a")
        with open(os.path.join(again.state, "sim.key"), "rb") as key:
            self.assertEqual(key.read(), first)
        self.assertIn("NO ISOLATION", again.log())

    def test_parents_are_made(self):
        process = self.background([OPTMIGD, "--state", os.path.join(self.directory, "p/q/r")], env=ENVIRONMENT,
                                  stderr=subprocess.DEVNULL)
        nested = os.path.join(self.directory, "p/q/r")
        self.assertTrue(until(lambda: os.path.exists(os.path.join(nested, "control.sock"))))
        self.assertEqual(stat.S_IMODE(os.stat(nested).st_mode), 0o700)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_relative_path(self):
        with open(os.path.join(self.directory, "log"), "wb") as log:
            process = self.background([OPTMIGD, "--state", "rel"], env=ENVIRONMENT, cwd=self.directory, stderr=log)
        run = lambda *a: subprocess.run([OPTMIG, "--host", os.path.join(self.directory, "rel"), *a], env=ENVIRONMENT,
                                        capture_output=True, text=True, timeout=PATIENCE)
        run("ping", "--wait", "20s")
        self.assertEqual(run("run", "echo", "hi").stdout, "hi\n")
        self.assertEqual(run("run", "--name", "kv", "--detach", "echo", "hi").returncode, 0)
        self.assertTrue(until(lambda: run("logs", "kv").stdout == "hi\n"))
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_closed_standard_descriptors(self):
        a = self.daemon("a")
        self.detach(a)
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            script = '"$@" %s; echo $?' % closed
            command = [OPTMIG, "--host", a.state, "status", "kw"]
            result = subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, text=True, env=ENVIRONMENT,
                                    timeout=PATIENCE)
            self.assertEqual(result.stdout, "1\n", closed)
        state = os.path.join(self.directory, "closed")
        process = self.background(["sh", "-c", 'exec "$0" --state "$1" <&- >&- 2>&-', OPTMIGD, state], env=ENVIRONMENT)
        self.assertTrue(until(lambda: os.path.exists(os.path.join(state, "control.sock"))))
        with open(os.path.join(state, "pid")) as file:
            self.assertEqual(file.read(), "%d\n" % process.pid)
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)

    def refused_start(self, *arguments):
        result = subprocess.run([OPTMIGD, *arguments], capture_output=True, text=True, timeout=PATIENCE,
                                env=ENVIRONMENT)
        return result.returncode, result.stderr

    def test_second_daemon_is_refused(self):
        a = self.daemon("a")
        status, error = self.refused_start("--state", a.state)
        self.assertEqual(status, 1)
        self.assertIn("another optmigd (pid %d)" % a.process.pid, error)
        self.assertEqual(a.run("ls").returncode, 0)

    def test_stale_socket_is_removed(self):
        a = self.daemon("a")
        a.end(signal.SIGKILL)
        self.assertTrue(os.path.exists(os.path.join(a.state, "control.sock")))
        self.assertEqual(self.daemon("a").run("ls").returncode, 0)

    def test_bad_starts(self):
        open_dir = os.path.join(self.directory, "open")
        os.mkdir(open_dir)
        os.chmod(open_dir, 0o777)
        status, error = self.refused_start("--state", open_dir)
        self.assertEqual(status, 1)
        self.assertIn("chmod 700", error)
        a = self.daemon("a")
        status, error = self.refused_start("--state", os.path.join(self.directory, "c"), "--listen", a.address)
        self.assertEqual(status, 1)
        host, port = a.address.rsplit(":", 1)
        self.assertIn("port %s of %s is taken (Address already in use); choose another" % (port, host), error)
        status, error = self.refused_start("--state", "/proc/nope")
        self.assertEqual(status, 1)
        self.assertIn("--state /proc/nope: /proc/nope cannot be made: ", error)
        self.assertIn("choose a directory", error)
        for wrong, said in ((["--what"], "there is no option '--what'"), (["--state"], "option '--state' needs a value")):
            self.assertEqual(self.refused_start(*wrong), (2, "optmigd: %s; see 'optmigd --help'\n" % said))
        for bad in (["--listen", "nonsense"], ["--memory-limit", "0"], ["--what"], ["extra"], ["--log-level", "x"]):
            self.assertEqual(self.refused_start(*bad)[0], 2, bad)
        self.assertEqual(self.refused_start("--state", os.path.join(self.directory, "x" * 120))[0], 1)
        key = os.path.join(self.directory, "k")
        os.mkdir(key, 0o700)
        with open(os.path.join(key, "sim.key"), "w") as file:
            file.write("short")
        status, error = self.refused_start("--state", key)
        self.assertEqual(status, 1)
        self.assertIn("sim.key", error)


    def test_a_start_that_fails_leaves_nothing(self):
        a = self.daemon("a")
        parent = os.path.join(self.directory, "p")
        self.assertEqual(self.refused_start("--state", os.path.join(parent, "q"), "--listen", a.address)[0], 1)
        self.assertFalse(os.path.exists(parent))
        os.mkdir(parent, 0o700)  # What was there before stays.
        with open(os.path.join(parent, "pid"), "w"):
            pass
        self.assertEqual(self.refused_start("--state", parent, "--listen", a.address)[0], 1)
        self.assertEqual(os.listdir(parent), ["pid"])
        self.assertEqual(os.stat(os.path.join(parent, "pid")).st_size, 0)
        before = sorted(os.listdir(a.state))
        self.assertEqual(self.refused_start("--state", a.state, "--listen", a.address)[0], 1)
        self.assertEqual(sorted(os.listdir(a.state)), before)
        self.assertEqual(a.run("ls").returncode, 0)


class Protocol(DaemonTest):
    def test_garbage_is_answered(self):
        a = self.daemon("a")
        lines = [b"\n", b"{\n", b"[]\n", b"\"x\"\n", b"\xff\xfe\n", b"{\"request\":7}\n", b"{\"request\":\"fly\"}\n",
                 b"{\"request\":\"ls\",\"request\":\"ls\"}\n", b"[" * 100000 + b"\n", b"{\"request\":\"status\"}\n",
                 b"{\"request\":\"run\",\"argv\":[],\"path\":\"/bin/true\"}\n",
                 b"{\"request\":\"run\",\"argv\":[1],\"path\":\"/bin/true\"}\n",
                 b"{\"request\":\"run\",\"argv\":[\"a\"],\"path\":\"true\"}\n",
                 b"{\"request\":\"run\",\"argv\":[\"a\"],\"path\":\"/bin/true\",\"env\":[{}]}\n",
                 b"{\"request\":\"run\",\"argv\":[\"a\"],\"path\":\"/bin/true\",\"name\":\"../../x\"}\n",
                 b"{\"request\":\"run\",\"argv\":[\"a\"],\"path\":\"/bin/true\",\"tracker\":\"x\"}\n",
                 b"{\"request\":\"run\",\"argv\":[\"a\"],\"path\":\"/bin/true\",\"cwd\":\"/nowhere\"}\n",
                 b"{\"request\":\"register\",\"argv\":\"a\"}\n", b"{\"request\":\"signal\",\"name\":\"x\"}\n",
                 b"{\"request\":\"migrate\"}\n", b"{\"request\":\"migrate\",\"name\":\"x\",\"to\":\"127.0.0.1:1\"}\n"]
        for line in lines:
            reply = json.loads(a.ask(line))
            self.assertIs(reply["ok"], False, line)
            self.assertTrue(reply["error"], line)
        with a.connect() as s:  # All on one connection, at once.
            s.sendall(b"".join(lines) + b"{\"request\":\"ping\"}\n")
            file = s.makefile()
            for line in lines:
                self.assertIs(json.loads(file.readline())["ok"], False)
            self.assertIs(json.loads(file.readline())["ok"], True)

    def test_half_lines_and_hang_ups(self):
        a = self.daemon("a")
        half = a.connect()
        half.sendall(b"{\"request\":")
        for _ in range(20):
            gone = a.connect()
            gone.sendall(b"{\"request\":\"ls\"}\n{\"req")
            gone.close()
        half.sendall(b"\"ls\"}\n")
        self.assertIs(json.loads(read_line(half))["ok"], True)
        half.close()

    def test_line_too_long(self):
        a = self.daemon("a")
        with a.connect() as s:
            try:
                for _ in range(64):
                    s.sendall(b"x" * 65536)
                self.assertEqual(s.recv(1), b"")
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assertEqual(a.run("ls").returncode, 0)
        result = a.run("run", "--detach", "--", "true", "y" * 120000, *["z" * 120000] * 9)
        self.assertEqual(result.returncode, 1)
        self.assertIn("1 MiB", result.stderr)

    def test_reader_that_does_not_read(self):
        a = self.daemon("a")
        with a.connect() as s:
            s.settimeout(0.2)
            try:
                for _ in range(3000):
                    s.sendall(b"{\"request\":\"ls\"}\n" * 100)
            except (socket.timeout, BrokenPipeError, ConnectionResetError):
                pass
            self.assertEqual(a.run("ls").returncode, 0)

    def test_many_requesters(self):
        a = self.daemon("a")
        sockets = [a.connect() for _ in range(276)]
        refused = 0
        for s in sockets[256:]:
            refused += "too many" in read_line(s)
        self.assertEqual(refused, 20)
        for s in sockets:
            s.close()
        self.assertTrue(until(lambda: a.run("ls").returncode == 0))

    def test_other_users_are_refused(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        a = self.daemon("a")
        os.chmod(self.directory, 0o755)
        os.chmod(a.state, 0o755)
        os.chmod(os.path.join(a.state, "control.sock"), 0o666)
        program = ("import socket,os; os.setuid(65534); s=socket.socket(socket.AF_UNIX); s.connect(%r);"
                   "s.sendall(b'{\"request\":\"ls\"}\\n'); print(s.recv(1000).decode())" %
                   os.path.join(a.state, "control.sock"))
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
        self.assertNotIn("enclaves", result.stdout)
        os.chmod(a.state, 0o700)


class Run(DaemonTest):
    def test_detached(self):
        a = self.daemon("a")
        self.detach(a, program=("sh", "-c", "echo out; echo err >&2; exec sleep 1000"))
        e = a.enclaves()["kv"]
        self.assertEqual(e["state"], "running")
        self.assertIn("exec sleep", e["command"])
        os.kill(e["pid"], 0)
        full = a.status("kv")
        self.assertEqual((full["platform"], full["isolation"], full["threads"]), ("sim", "none", 1))
        self.assertTrue(until(lambda: a.run("logs", "kv").stdout == "out\nerr\n"))
        lines = [json.loads(line) for line in a.run("logs", "kv", "--json").stdout.splitlines()]
        self.assertEqual(lines, [{"name": "kv", "line": "out"}, {"name": "kv", "line": "err"}])
        result = a.run("run", "--name", "kv", "--detach", "--", "sleep", "1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("here already", result.stderr)
        self.assertEqual(a.run("stop", "kv").returncode, 0)
        e = a.enclaves()["kv"]
        self.assertEqual((e["state"], e["signal"]), ("exited", 15))
        self.assertNotIn("pid", e)
        self.detach(a)
        self.assertEqual(a.run("logs", "kv").stdout, "")

    def test_names_by_default(self):
        a = self.daemon("a")
        names = [a.run("run", "--detach", "sleep", "1000").stdout.strip() for _ in range(3)]
        self.assertEqual(names, ["sleep", "sleep-2", "sleep-3"])

    def test_what_the_program_inherits(self):
        a = self.daemon("a")
        a.run("run", "--name", "env", "--detach", "--", "sh", "-c", "echo $GREETING; pwd; umask; echo $0; ls /proc/self/fd",
              environment={"GREETING": "hello"}, cwd="/usr", umask=0o027)
        self.assertTrue(until(lambda: a.enclaves()["env"]["state"] == "exited"))
        lines = a.run("logs", "env").stdout.split()
        self.assertEqual(lines[:4], ["hello", "/usr", "0027", "sh"])
        self.assertEqual(a.enclaves()["env"]["exit_status"], 0)

    def test_any_bytes(self):
        a = self.daemon("a")
        subprocess.run([OPTMIG.encode(), b"--host", a.state.encode(), b"run", b"--name", b"bytes", b"--detach",
                        b"printf", b"%s", b"a\xff\x01b"], env=ENVIRONMENT, check=True, timeout=PATIENCE,
                       stdout=subprocess.DEVNULL)
        self.assertTrue(until(lambda: a.enclaves()["bytes"]["state"] == "exited"))
        with open(os.path.join(a.state, "logs", "bytes.log"), "rb") as log:
            self.assertEqual(log.read(), b"a\xff\x01b")
        self.assertIn("a??b", a.enclaves()["bytes"]["command"])
        self.assertEqual(json.loads(a.run("logs", "bytes", "--json").stdout)["line"], "a??b")

    def test_starts_that_fail(self):
        a = self.daemon("a")
        broken = os.path.join(self.directory, "broken")
        with open(broken, "w") as file:
            file.write("\x7fELF nothing")
        os.chmod(broken, 0o755)
        result = a.run("run", "--detach", "--", broken)
        self.assertEqual(result.returncode, 1)
        self.assertIn("Exec format error", result.stderr)
        self.assertEqual(a.enclaves(), {})
        self.detach(a, "broken", ("true",))
        self.assertTrue(until(lambda: a.enclaves()["broken"]["state"] == "exited"))
        self.assertEqual(a.run("run", "--detach", "--", broken).returncode, 1)
        self.assertEqual(a.enclaves()["broken"]["state"], "exited")  # The record of the last one that ran.
        self.assertEqual(len(a.enclaves()), 1)
        reply = json.loads(a.ask(b"{\"request\":\"run\",\"argv\":[\"x\"],\"path\":\"/nowhere/x\"}\n"))
        self.assertEqual((reply["ok"], reply["exit_status"]), (False, 127))
        self.assertEqual(a.run("run", "--detach", "no-such-program").returncode, 127)
        self.assertEqual(a.run("run", "--detach", "/etc/passwd").returncode, 126)
        self.assertEqual(a.run("run", "--detach", "--name", "k", "true", environment={"FAKE_NO_ENCLAVE": "1"}).returncode, 1)

    def test_short_programs(self):
        a = self.daemon("a")
        for i in range(10):
            self.detach(a, "s%d" % i, ("sh", "-c", "exit %d" % i))
        for i in range(10):
            self.assertTrue(until(lambda: a.enclaves()["s%d" % i]["state"] == "exited"))
            self.assertEqual(a.enclaves()["s%d" % i]["exit_status"], i)

    def test_stop_kills_in_the_end(self):
        a = self.daemon("a")
        self.detach(a, program=("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
        self.assertTrue(until(lambda: a.run("logs", "kv").stdout))
        reply = a.json("stop", "kv", "--timeout", "100ms")
        self.assertEqual((reply["ok"], reply["killed"]), (True, True))
        self.assertEqual(a.run("stop", "kv").returncode, 1)

    def test_signal(self):
        a = self.daemon("a")
        self.detach(a, program=("sh", "-c", "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.05; done"))
        self.assertTrue(until(lambda: a.run("logs", "kv").stdout))
        self.assertEqual(a.run("signal", "kv", "usr1").returncode, 0)
        self.assertTrue(until(lambda: a.enclaves()["kv"].get("exit_status") == 5))
        self.assertIn("got", a.run("logs", "kv").stdout)

    def test_logs_follow_ends_with_the_enclave(self):
        a = self.daemon("a")
        self.detach(a, program=("sh", "-c", "echo one; trap 'echo two; exit 0' TERM; while :; do sleep 0.05; done"))
        self.assertTrue(until(lambda: a.run("logs", "kv").stdout))
        follower = a.start("logs", "kv", "-f", stdout=subprocess.PIPE)
        self.processes.append(follower)
        self.assertEqual(follower.stdout.readline(), b"one\n")
        self.assertEqual(a.run("stop", "kv").returncode, 0)
        self.assertEqual(follower.communicate(timeout=PATIENCE)[0], b"two\n")
        self.assertEqual(follower.returncode, 0)
        self.assertEqual(a.run("logs", "kv", "-f").stdout, "one\ntwo\n")

    def test_old_records_are_forgotten(self):
        a = self.daemon("a")
        with a.connect() as s:
            file = s.makefile()
            for i in range(115):
                request = {"request": "run", "argv": ["true"], "path": "/bin/true", "name": "n%d" % i}
                s.sendall(json.dumps(request).encode() + b"\n")
                self.assertTrue(json.loads(file.readline())["ok"])
        self.assertTrue(until(lambda: all(e["state"] == "exited" for e in a.enclaves().values())))
        self.detach(a)
        self.assertLessEqual(len(a.enclaves()), 102)


class Foreground(DaemonTest):
    def test_like_running_it_directly(self):
        a = self.daemon("a")
        result = a.run("run", "--", "sort", "-n", input="3\n1\n2\n", stdin=None)
        self.assertEqual((result.returncode, result.stdout), (0, "1\n2\n3\n"))
        self.assertIn("NO ISOLATION", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)
        result = a.run("run", "--quiet", "--", "sort", "-n", input="3\n1\n2\n", stdin=None)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "1\n2\n3\n", ""))
        self.assertEqual(a.run("run", "sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(a.run("run", "sh", "-c", "kill -KILL $$").returncode, -9)
        self.assertEqual(a.run("run", "no-such-program").returncode, 127)
        self.assertEqual(a.run("run", "/etc").returncode, 126)
        self.assertEqual(a.run("run", "/etc/passwd").returncode, 126)
        self.assertEqual(a.run("run", "/no/such").returncode, 127)
        self.assertEqual(a.run("run", "echo", "--", "-n", "--name").stdout, "-- -n --name\n")

    def test_listed_while_it_runs(self):
        a = self.daemon("a")
        process = a.start("run", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(process)
        self.assertTrue(until(lambda: a.enclaves().get("cat", {}).get("state") == "running"))
        self.assertEqual(a.enclaves()["cat"]["pid"], process.pid)
        self.assertIn("terminal", a.run("logs", "cat").stderr)
        self.assertEqual(a.run("run", "--name", "cat", "true").returncode, 1)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), -15)
        self.assertTrue(until(lambda: a.enclaves()["cat"]["state"] == "exited"))

    def test_without_a_daemon(self):
        nowhere = {"OPTMIG_HOST": os.path.join(self.directory, "nowhere")}
        run = lambda *a: subprocess.run([OPTMIG, *a], capture_output=True, text=True, timeout=PATIENCE,
                                        env={**ENVIRONMENT, **nowhere})
        result = run("run", "echo", "hi")
        self.assertEqual((result.returncode, result.stdout), (0, "hi\n"))
        self.assertIn("cannot be moved", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 2)
        self.assertEqual(run("run", "--quiet", "echo", "hi").stderr, "")
        self.assertEqual(run("run", "--detach", "echo", "hi").returncode, 1)
        self.assertIn("no daemon at", run("ls").stderr)
        result = run("migrate", "kv", "--to", "127.0.0.1:1", "--json")
        self.assertEqual((result.returncode, json.loads(result.stdout)["result"]), (1, "refused"))

    def test_moved_away(self):
        a, b = self.pair()
        process = a.start("run", "sleep", "1000", stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        self.assertTrue(until(lambda: a.enclaves().get("sleep", {}).get("state") == "running"))
        self.assertEqual(self.migrate(a, b.address, name="sleep")[0], 0)
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(process.stderr.read().count("has been moved to " + b.address), 1)
        self.assertEqual(b.enclaves()["sleep"]["state"], "running")

    def test_lost_on_its_way(self):
        a, b = self.pair()
        process = a.start("run", "sleep", "1000", stderr=subprocess.PIPE, text=True,
                          environment={"FAKE_SOURCE": "lost@postcopy"})
        self.processes.append(process)
        self.assertTrue(until(lambda: a.enclaves().get("sleep", {}).get("state") == "running"))
        self.assertEqual(self.migrate(a, b.address, name="sleep")[0], 4)
        self.assertEqual(process.wait(PATIENCE), 4)
        words = process.stderr.read()
        self.assertEqual((words.count("did not end well"), words.count("has been moved")), (1, 0), words)


class Usage(DaemonTest):
    def test_usage_errors(self):
        a = self.daemon("a")
        for arguments in ([], ["fly"], ["--what"], ["help", "fly"], ["run"], ["run", "--tracker", "x", "true"],
                          ["run", "--platform", "sgx", "true"], ["run", "--name", "a/b", "true"], ["run", "--what"],
                          ["migrate"], ["migrate", "kv"], ["migrate", "kv", "--to", "x"],
                          ["migrate", "kv", "kw", "--to", "127.0.0.1:1"],
                          ["migrate", "kv", "--to", "127.0.0.1:1", "--mode", "warp"],
                          ["migrate", "kv", "--to", "127.0.0.1:1", "--deadline", "60"], ["status"], ["stop"],
                          ["stop", "a", "--wait", "1s"], ["stop", "a", "--timeout", "1"], ["ls", "kv"], ["logs"],
                          ["signal", "kv"], ["signal", "kv", "NOPE"], ["cancel"], ["ping", "x"]):
            result = a.run(*arguments)
            self.assertEqual(result.returncode, 2, (arguments, result))
            self.assertTrue(result.stderr)

    def test_wrong_options_are_explained(self):
        a = self.daemon("a")
        see = lambda command: "see '%s --help'\n" % command
        for arguments, said in (
                (["run", "--name"], "optmig run: option '--name' needs a value; " + see("optmig run")),
                (["run", "--what", "true"], "optmig run: there is no option '--what'; " + see("optmig run")),
                (["run", "--nmae", "x", "true"], "optmig run: there is no option '--nmae'; did you mean '--name'?"),
                (["run", "-x", "true"], "optmig run: there is no option '-x'; " + see("optmig run")),
                (["ls", "--json=3"], "optmig ls: option '--json' takes no value; " + see("optmig ls")),
                (["migrate", "--m", "3"], "optmig migrate: option '--m' could be more than one; " + see("optmig migrate")),
                (["migrate", "kv", "-xy"], "optmig migrate: there is no option '-x'; " + see("optmig migrate")),
                (["stop", "kv", "--wait", "1s"], "optmig stop: there is no option '--wait'; " + see("optmig stop")),
                (["--host"], "optmig: option '--host' needs a value; " + see("optmig")),
                (["--waht"], "optmig: there is no option '--waht'; " + see("optmig")),
                (["migrat"], "optmig: there is no command 'migrat'; did you mean 'optmig migrate'?"),
                (["statsu"], "optmig: there is no command 'statsu'; did you mean 'optmig status'?"),
                (["help", "pign"], "optmig: there is no command 'pign'; did you mean 'optmig ping'?"),
                (["fly"], "optmig: there is no command 'fly'; " + see("optmig"))):
            command = [OPTMIG] + arguments  # Without --host of a.run, which would hide what stands first.
            result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=ENVIRONMENT)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertTrue(result.stderr.startswith(said), (arguments, result.stderr))
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertNotIn("\033", a.run("migrate", "\033[31m", "--to", "127.0.0.1:1").stderr)

    def test_json_is_one_object_a_line(self):
        a = self.daemon("a")
        self.detach(a, program=("sh", "-c", "echo one; echo two; sleep 1000"))
        self.assertTrue(until(lambda: a.run("logs", "kv").stdout == "one\ntwo\n"))
        commands = [["run", "--detach", "true"], ["ls"], ["status", "kv"], ["status", "kw"], ["cancel", "kv"],
                    ["signal", "kv", "WINCH"], ["ping"], ["logs", "kv"], ["logs", "kw"],
                    ["migrate", "kv", "--to", "127.0.0.1:1"], ["migrate", "kw", "--to", "127.0.0.1:1"],
                    ["run", "--detach", "--name", "kv", "true"], ["stop", "kv"], ["stop", "kv"]]
        nowhere = os.path.join(self.directory, "nowhere")
        for arguments in commands + [["--host", nowhere] + c for c in commands]:
            result = a.run(*arguments, "--json") if "run" not in arguments else \
                a.run(*arguments[:arguments.index("run") + 1], "--json", *arguments[arguments.index("run") + 1:])
            self.assertTrue(result.stdout, arguments)
            for line in result.stdout.splitlines():
                self.assertIsInstance(json.loads(line), dict, arguments)
            if "--host" in arguments:
                self.assertEqual(result.returncode, 1, arguments)
                self.assertIn("no daemon at " + nowhere, result.stdout)
                self.assertIn("start one: 'optmigd --state " + nowhere, result.stderr)

    def test_help_and_version(self):
        a = self.daemon("a")
        self.assertIn("0.1.0", a.run("--version").stdout)
        self.assertIn("optmig help COMMAND", a.run("--help").stdout)
        for command in "run migrate ls status cancel stop signal logs ping".split():
            self.assertIn("usage: optmig " + command, a.run("help", command).stdout)
            self.assertEqual(a.run(command, "--help").stdout, a.run("help", command).stdout)
            self.assertRegex(a.run("help", command).stdout, r"(?s)\nExample.*\n  .*optmig .*" + command)
            self.assertIn("Exit status:", a.run("help", command).stdout)

    def test_unknown_enclave_names_those_that_exist(self):
        a = self.daemon("a")
        self.assertIn("no enclave is called 'kw' on this host; 'optmig ls' shows none running",
                      a.run("status", "kw").stderr)
        self.detach(a, "kv")
        for command in ("status", "cancel", "stop", "logs"):
            result = a.run(command, "kw")
            self.assertEqual(result.returncode, 1)
            self.assertIn("there are: kv", result.stderr)
        result = a.run("migrate", "kw", "--to", "127.0.0.1:1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there are: kv", result.stderr)


class Move(DaemonTest):
    def test_there_and_back_again(self):
        a, b = self.pair()
        self.detach(a, program=("sh", "-c", "echo here; exec sleep 1000"))
        here, there = a, b
        for mode in ("hybrid", "precopy", "postcopy", "stopcopy", "hybrid", "hybrid"):
            status, report = self.migrate(here, there.address, "--mode", mode, "--tracker", "mprotect")
            self.assertEqual((status, report["result"], report["mode"], report["tracker"]), (0, "moved", mode, "mprotect"))
            self.assertEqual((report["from"], report["to"], report["name"]), (here.address, there.address, "kv"))
            gone, come = here.enclaves()["kv"], there.enclaves()["kv"]
            self.assertEqual((gone["state"], gone["moved_to"]), ("moved", there.address))
            self.assertNotIn("pid", gone)
            self.assertEqual(come["state"], "running")
            here, there = there, here
        self.assertIn("exec sleep", until(lambda: here.enclaves()["kv"]["command"]))
        self.assertEqual(len(here.status("kv")["moves"]), 1)
        self.assertEqual(here.run("logs", "kv").stdout.count("here"), 4)
        self.assertEqual(here.run("stop", "kv").returncode, 0)

    def test_report_for_people(self):
        a, b = self.pair()
        self.detach(a)
        result = a.run("migrate", "kv", "--to", b.address)
        self.assertEqual(result.returncode, 0)
        self.assertIn("kv moved to " + b.address, result.stdout)
        self.assertIn("no isolation", result.stdout)
        self.assertEqual(result.stderr, "")
        self.detach(a)  # The record at the source does not hold the name.

    def test_default_tracker_is_that_of_run(self):
        a, b = self.pair()
        a.run("run", "--detach", "--name", "kv", "--tracker", "mprotect", "sleep", "1000")
        self.assertEqual(self.migrate(a, b.address)[1]["tracker"], "mprotect")

    def test_progress_on_a_terminal_only(self):
        a, b = self.pair()
        self.detach(a)
        master, slave = pty.openpty()
        process = a.start("migrate", "kv", "--to", b.address, stderr=slave, stdout=subprocess.DEVNULL)
        os.close(slave)
        self.assertEqual(process.wait(PATIENCE), 0)
        shown = b""
        try:
            while True:
                shown += os.read(master, 65536)
        except OSError:
            pass
        os.close(master)
        self.assertIn(b"\rprecopy round 1", shown)
        self.assertIn(b"ETA", shown)

    def test_host_name_is_resolved(self):
        a, b = self.pair()
        self.detach(a)
        self.assertEqual(self.migrate(a, "localhost:" + b.address.split(":")[1])[0], 0)
        self.detach(a, "kw")
        status, report = self.migrate(a, "no-such-host.invalid:1", name="kw")
        self.assertEqual((status, report["result"]), (1, "refused"))


class Refused(DaemonTest):
    def refused(self, source, to, words, name="kv", alive=True):
        status, report = self.migrate(source, to, name=name)
        self.assertEqual((status, report["result"]), (1, "refused"), report)
        self.assertIn(words, report["reason"])
        if alive:
            self.assertEqual(source.enclaves()[name]["state"], "running")
            os.kill(source.enclaves()[name]["pid"], 0)

    def closed_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return "127.0.0.1:%d" % s.getsockname()[1]

    def test_port_closed(self):
        a = self.daemon("a")
        self.detach(a)
        to = self.closed_port()
        self.refused(a, to, "cannot reach %s: Connection refused; is optmigd running there?" % to)
        self.assertEqual(a.status("kv")["moves"][0]["result"], "refused")

    def test_name_taken_there(self):
        a, b = self.pair()
        self.detach(a)
        self.detach(b)
        self.refused(a, b.address, "an enclave called kv is here already")
        self.refused(a, a.address, "an enclave called kv is here already")

    def test_memory_limit(self):
        a, b = self.daemon("a"), self.daemon("b", "--memory-limit", "64k")
        self.detach(a)
        self.refused(a, b.address, "limit of 64.0 KiB")
        self.assertEqual(b.enclaves(), {})

    def test_no_enclave_there(self):
        a, b = self.daemon("a"), self.daemon("b", environment={"FAKE_NO_ENCLAVE": "1"})
        self.detach(a)
        self.refused(a, b.address, "no memory for an enclave")
        self.assertEqual(b.enclaves(), {})

    def test_not_running(self):
        a, b = self.pair()
        self.detach(a, program=("true",))
        self.assertTrue(until(lambda: a.enclaves()["kv"]["state"] == "exited"))
        self.refused(a, b.address, "not running any more", alive=False)
        self.refused(a, b.address, "no enclave is called", name="kw", alive=False)

    def test_stopped(self):
        a, b = self.pair()
        self.detach(a)
        self.assertEqual(a.run("signal", "kv", "STOP").returncode, 0)
        pid = a.enclaves()["kv"]["pid"]
        os.kill(pid, signal.SIGSTOP)  # The fake's program is another process.
        with open("/proc/%d/status" % pid) as status:
            self.assertTrue(until(lambda: status.seek(0) == 0 and "T (stopped)" in status.read()))
        self.refused(a, b.address, "kv is stopped")
        self.assertEqual(a.run("signal", "kv", "CONT").returncode, 0)
        self.assertEqual(self.migrate(a, b.address)[0], 0)

    def serve(self, answer, count=2):
        """Somebody who is not optmigd."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            kept = []
            for _ in range(count):
                s = listener.accept()[0]
                kept.append(s)
                if answer is not None:
                    s.recv(256)
                    s.sendall(answer)
                    if not answer:
                        s.close()
            threading.Event().wait(1)
            for s in kept:
                s.close()
        threading.Thread(target=serve, daemon=True).start()
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def test_strange_servers(self):
        a = self.daemon("a")
        self.detach(a)
        self.refused(a, self.serve(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not of OptMig")
        self.refused(a, self.serve(b"REFUSE because \033[31mred\n"), "because ?[31mred")
        self.refused(a, self.serve(b""), "closed the connection")
        self.refused(a, self.serve(b"x" * 5000), "not of OptMig")
        self.refused(a, self.serve(b"OK\0\n"), "not of OptMig")

    def test_cancel_before_the_answer(self):
        a = self.daemon("a")
        self.detach(a)
        process = a.start("migrate", "kv", "--to", self.serve(None), "--json", stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
        self.processes.append(process)
        self.reach(a, "connect")
        again = a.run("migrate", "kv", "--to", "127.0.0.1:1", "--json")
        self.assertEqual(again.returncode, 1)
        self.assertIn("being moved already", again.stderr)
        self.assertEqual(a.run("cancel", "kv").returncode, 0)
        status, report = self.ended(process)
        self.assertEqual((status, report["result"]), (1, "refused"))
        self.assertIn("cancelled", report["reason"])
        self.assertEqual(a.enclaves()["kv"]["state"], "running")
        self.assertEqual(a.run("cancel", "kv").returncode, 1)


class Outcome(DaemonTest):
    """What the host processes report, or fail to report."""

    def outcome(self, source="", destination=""):
        a = self.daemon("a")
        b = self.daemon("b", environment={"FAKE_DESTINATION": destination} if destination else None)
        self.detach(a, environment={"FAKE_SOURCE": source} if source else None)
        status, report = self.migrate(a, b.address)
        return a, b, status, report

    def stays(self, status, report, a, b, expected):
        self.assertEqual((status, report["result"]), expected, report)
        self.assertEqual(a.enclaves()["kv"]["state"], "running")
        self.assertEqual(a.status("kv")["moves"][-1]["result"], report["result"])
        self.assertTrue(until(lambda: b.enclaves() == {}))

    def test_refused_by_the_enclave(self):
        a, b, status, report = self.outcome("refuse@prepare")
        self.stays(status, report, a, b, (1, "refused"))

    def test_refused_by_the_other_enclave(self):
        a, b, status, report = self.outcome("", "refuse@prepare")
        self.stays(status, report, a, b, (1, "refused"))

    def test_failed(self):
        a, b, status, report = self.outcome("fail@switchover")
        self.stays(status, report, a, b, (3, "failed"))
        self.assertIn("as the test asked", report["reason"])
        self.assertEqual(report["phase_reached"], "switchover")

    def test_destination_killed_before_commit(self):
        a, b, status, report = self.outcome("", "die@precopy")
        self.stays(status, report, a, b, (3, "failed"))

    def test_lost(self):
        a, b, status, report = self.outcome("lost@postcopy")
        self.assertEqual((status, report["result"]), (4, "lost"))
        self.assertIn("does not run at the destination either", report["reason"])
        self.assertTrue(until(lambda: a.enclaves()["kv"]["state"] == "lost"))
        self.assertTrue(until(lambda: b.enclaves().get("kv", {}).get("state") == "lost"))

    def test_source_killed(self):
        for phase in ("precopy", "switchover"):
            with self.subTest(phase):
                a, b, status, report = self.outcome("die@" + phase)
                self.assertEqual((status, report["result"]), (4, "lost"))
                self.assertIn("signal 9", report["reason"])
                self.assertEqual(a.enclaves()["kv"]["state"], "lost")
                self.assertTrue(until(lambda: b.enclaves() == {}))
                self.assertEqual((a.end(), b.end()), (0, 0))

    def test_source_killed_after_the_receipt(self):
        a, b, status, report = self.outcome("die@done")
        self.assertEqual((status, report["result"]), (0, "moved"), report)
        self.assertIn("all has arrived", report["reason"])
        self.assertEqual(a.enclaves()["kv"]["state"], "moved")
        self.assertEqual(b.enclaves()["kv"]["state"], "running")

    def test_destination_killed_in_postcopy(self):
        a, b, status, report = self.outcome("", "die@postcopy")
        self.assertEqual((status, report["result"]), (4, "lost"))

    def test_program_ends_at_the_destination_before_all_of_it_is_there(self):
        a, b, status, report = self.outcome("", "exit@postcopy")
        self.assertEqual((status, report["result"]), (0, "moved"), report)
        self.assertTrue(until(lambda: a.enclaves()["kv"]["state"] == "moved"))
        self.assertTrue(until(lambda: b.enclaves()["kv"]["state"] == "exited"))
        self.assertEqual(b.enclaves()["kv"]["exit_status"], 7)

    def test_program_ends_during_the_move(self):
        a, b = self.pair()
        go = os.path.join(self.directory, "go")
        self.detach(a, program=("sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.05; done"),
                    environment={"FAKE_SOURCE": "hold@precopy", "FAKE_GO": go})
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        self.assertEqual(a.run("signal", "kv", "USR1").returncode, 1)
        self.assertEqual(a.run("stop", "kv").returncode, 1)
        os.kill(a.enclaves()["kv"]["pid"], signal.SIGUSR1)
        status, report = self.ended(move)
        self.assertEqual((status, report["result"]), (3, "failed"))
        self.assertIn("ended by itself", report["reason"])
        self.assertEqual(a.enclaves()["kv"]["exit_status"], 9)


class Held(DaemonTest):
    """Moves that stand still in a phase."""

    def held(self, source="", destination=""):
        self.go = os.path.join(self.directory, "go")
        a = self.daemon("a")
        b = self.daemon("b", environment={"FAKE_DESTINATION": destination, "FAKE_GO": self.go})
        self.detach(a, environment={"FAKE_SOURCE": source, "FAKE_GO": self.go})
        return a, b

    def let_go(self):
        open(self.go, "w").close()

    def test_cancel(self):
        a, b = self.held("hold@precopy")
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        self.assertEqual(b.enclaves()["kv"]["state"], "receiving")
        self.assertEqual(a.run("cancel", "kv").returncode, 0)
        status, report = self.ended(move)
        self.assertEqual((status, report["result"], report["reason"]), (3, "failed", "cancelled"))
        self.assertEqual(a.enclaves()["kv"]["state"], "running")
        self.assertTrue(until(lambda: b.enclaves() == {}))
        self.let_go()
        self.assertEqual(self.migrate(a, b.address)[0], 0)

    def test_cancel_too_late(self):
        a, b = self.held("hold@postcopy")
        move = self.begin_move(a, b)
        self.reach(a, "postcopy")
        cancel = a.start("cancel", "kv", stderr=subprocess.PIPE, text=True)
        self.processes.append(cancel)
        time.sleep(0.1)  # It must still wait for the end of the move then.
        self.assertIsNone(cancel.poll())
        self.let_go()
        self.assertEqual(self.ended(move)[0], 0)
        self.assertEqual(cancel.wait(PATIENCE), 1)
        self.assertIn("too late", cancel.stderr.read())

    def test_interrupt_cancels(self):
        a, b = self.held("hold@precopy")
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        move.send_signal(signal.SIGINT)
        status, report = self.ended(move)
        self.assertEqual((status, report["reason"]), (3, "cancelled"))

    def test_move_goes_on_without_the_client(self):
        a, b = self.held("hold@precopy")
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        move.kill()
        self.let_go()
        self.assertTrue(until(lambda: a.enclaves()["kv"]["state"] == "moved"))
        self.assertEqual(b.enclaves()["kv"]["state"], "running")

    def test_requests_wait_for_the_arrival(self):
        a, b = self.held("hold@postcopy")
        move = self.begin_move(a, b)
        self.assertTrue(until(lambda: b.enclaves().get("kv", {}).get("state") == "running"))
        self.assertTrue(b.status("kv")["arriving"])
        back = b.start("migrate", "kv", "--to", a.address, "--json", stdout=subprocess.PIPE)
        self.processes.append(back)
        time.sleep(0.1)
        self.assertIsNone(back.poll())
        self.let_go()
        self.assertEqual(self.ended(move)[0], 0)
        status, report = self.ended(back)
        self.assertIn((status, report["result"]), ((0, "moved"), (1, "refused")))
        if status:  # The record at a was live still: its host process had not ended.
            self.assertIn("already", report["reason"])

    def test_daemon_ends_during_a_move(self):
        a, b = self.held("hold@precopy")
        pid = a.enclaves()["kv"]["pid"]
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        self.assertEqual(a.end(), 0)
        self.assertEqual(self.ended(move)[0], 3)
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        self.assertTrue(until(lambda: b.enclaves() == {}))

    def test_source_daemon_killed_during_a_move(self):
        a, b = self.held("hold@precopy")
        pid = a.enclaves()["kv"]["pid"]
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        a.end(signal.SIGKILL)
        status, report = self.ended(move)
        self.assertEqual((status, report["result"]), (3, "failed"))
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(until(lambda: b.enclaves() == {}))

    def test_destination_daemon_killed_during_a_move(self):
        a, b = self.held("", "hold@precopy")
        move = self.begin_move(a, b)
        self.assertTrue(until(lambda: b.enclaves().get("kv", {}).get("pid")))
        self.reach(a, "precopy")
        b.end(signal.SIGKILL)
        status, report = self.ended(move)
        self.assertEqual((status, report["result"]), (3, "failed"))
        self.assertEqual(a.enclaves()["kv"]["state"], "running")

    def test_destination_daemon_ends_before_commit(self):
        a, b = self.held("hold@precopy")
        move = self.begin_move(a, b)
        self.reach(a, "precopy")
        b.process.send_signal(signal.SIGTERM)
        self.assertTrue(until(lambda: "stops enclaves" in b.log()))
        self.let_go()
        status, report = self.ended(move)
        self.assertEqual((status, report["result"]), (3, "failed"))
        self.assertEqual(b.process.wait(PATIENCE), 0)
        self.assertEqual(a.enclaves()["kv"]["state"], "running")


class End(DaemonTest):
    def test_enclaves_are_stopped(self):
        a = self.daemon("a")
        for i in range(3):
            self.detach(a, "k%d" % i)
        pids = [e["pid"] for e in a.enclaves().values()]
        terminal = a.start("run", "sleep", "1000")
        self.processes.append(terminal)
        self.assertTrue(until(lambda: a.enclaves().get("sleep", {}).get("state") == "running"))
        self.assertEqual(a.end(), 0)
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        self.assertIsNone(terminal.poll())
        terminal.terminate()
        self.assertEqual(terminal.wait(PATIENCE), -15)

    def test_signal_sent_twice(self):
        a = self.daemon("a")
        self.detach(a, program=("sh", "-c", "trap 'sleep 0.3; exit 0' TERM; echo ready; while :; do sleep 0.05; done"))
        self.assertTrue(until(lambda: a.run("logs", "kv").stdout))
        pid = a.enclaves()["kv"]["pid"]
        a.process.terminate()
        self.assertTrue(until(lambda: "stops enclaves" in a.log()))
        self.assertEqual(a.end(), 0)
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_keep(self):
        a = self.daemon("a", "--keep")
        self.detach(a)
        pid = a.enclaves()["kv"]["pid"]
        self.assertEqual(a.end(signal.SIGINT), 0)
        os.kill(pid, signal.SIGTERM)


class Hello(DaemonTest):
    def answer(self, daemon, data):
        with daemon.knock() as s:
            s.sendall(data)
            return read_line(s)

    def line(self, session="0123456789abcdef", stream="bulk", name="kv", version=999, mode="hybrid", memory=1):
        return ("OPTMIG %d %s %s %s %s %d\n" % (version, session, stream, name, mode, memory)).encode()

    def test_bad_lines(self):
        a = self.daemon("a")
        self.assertEqual(self.answer(a, self.line(version=7)), "REFUSE protocol version 7, this host speaks 999\n")
        for data in (b"\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 300, b"\0\n", self.line(name="../x"),
                     self.line(mode="warp"), self.line(stream="fast"), self.line(session="0")):
            self.assertRegex(self.answer(a, data), "^REFUSE ", data)
        self.assertEqual(a.enclaves(), {})

    def test_same_stream_twice(self):
        a = self.daemon("a")
        with a.knock() as first:
            first.sendall(self.line())
            self.assertTrue(until(lambda: self.answer(a, self.line()).startswith("REFUSE this session")))
            self.assertRegex(self.answer(a, self.line(stream="urgent", name="other")), "^REFUSE this session")

    def test_query(self):
        a, b = self.pair()
        self.assertEqual(self.answer(b, self.line(stream="query")), "STATE none\n")
        self.detach(a)
        report = self.migrate(a, b.address)[1]
        query = self.line(session=report["session"], stream="query")
        self.assertTrue(until(lambda: self.answer(b, query) == "STATE complete\n"))
        self.assertEqual(self.answer(b, self.line(stream="query")), "STATE none\n")

    def test_streams_are_answered_when_both_are_there(self):
        a = self.daemon("a")
        with a.knock() as bulk, a.knock() as urgent:
            bulk.sendall(self.line() + b"P")
            urgent.sendall(self.line(stream="urgent"))
            # After OK the byte behind the line is the enclave's, who answers it.
            self.assertEqual(bulk.recv(3, socket.MSG_WAITALL), b"OK\n")
            self.assertEqual(urgent.recv(3, socket.MSG_WAITALL), b"OK\n")
            self.assertEqual(bulk.recv(1), b"R")
            self.assertEqual(a.enclaves()["kv"]["state"], "receiving")
        self.assertTrue(until(lambda: a.enclaves() == {}))

    def test_slow_ones_are_shown_out(self):
        a = self.daemon("a")
        begun = time.monotonic()
        drip, silent, alone = a.knock(), a.knock(), a.knock()
        alone.sendall(self.line(session="f" * 16))
        drip.settimeout(0.5)
        for byte in self.line() * 2:
            try:
                drip.sendall(bytes([byte if byte != 10 else 32]))
                if drip.recv(1) == b"":
                    break
            except socket.timeout:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            if time.monotonic() - begun > 60:
                break
        self.assertLess(time.monotonic() - begun, 60)
        self.assertGreater(time.monotonic() - begun, 8)
        self.assertEqual(silent.recv(1), b"")
        self.assertRegex(read_line(alone), "^REFUSE the other stream")
        for s in (drip, silent, alone):
            s.close()

    def test_too_many(self):
        a = self.daemon("a")
        sockets = [a.knock() for _ in range(80)]
        self.assertTrue(until(lambda: "too many" in read_line(sockets[79])))
        for s in sockets:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        self.assertTrue(until(lambda: self.answer(a, self.line(version=7)).startswith("REFUSE protocol")))

    def test_resets_at_any_time(self):
        a = self.daemon("a")
        for i in range(40):
            s = a.knock()
            s.sendall(self.line(session="%016x" % (i // 2), stream=("bulk", "urgent")[i % 2], name="n%d" % (i // 2))[:i * 2])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        self.assertTrue(until(lambda: a.enclaves() == {}))


if __name__ == "__main__":
    unittest.main()
