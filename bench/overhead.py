# SPDX-License-Identifier: Apache-2.0
"""What an enclave costs that does not move, in pairs of runs: native, then as an enclave, then the other way."""
import csv
import json
import os
import shutil
import statistics
import subprocess
import time

import hosts
from sweep import say

REDIS_TURNS = 3


def run_program(pair, enclave, arguments):
    command = list(arguments)
    environment = dict(os.environ, OPTMIG_HOST=pair.path("alpha"))
    if enclave:
        command = [pair.programs["optmig"], "run", "--quiet", "--"] + command
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise hosts.CommandFailed("%s: no end after 120 s" % " ".join(command))
    if done.returncode:
        raise hosts.CommandFailed("%s ended with status %d: %s" % (
            " ".join(command), done.returncode, done.stderr.strip()[-400:]))
    return done.stdout


def in_pairs(count, run):
    """run(enclave) for both, count times, the order changing."""
    native, enclave = [], []
    for turn in range(count):
        for inside in ((False, True), (True, False))[turn % 2]:
            (enclave if inside else native).append(run(inside))
    return native, enclave


def compute(plan, pair, programs):
    def once(inside):
        begun = time.monotonic()
        figures = json.loads(run_program(pair, inside, [programs["compute"]]))
        figures["with_start_s"] = time.monotonic() - begun
        return figures

    native, enclave = in_pairs(plan["pairs"], once)
    if len({row["result"] for row in native + enclave}) != 1:
        raise hosts.CommandFailed("compute: the results differ between runs")
    outcome = {"native": native, "enclave": enclave}
    for key in ("user_s", "wall_s", "with_start_s"):
        ratios = [b[key] / a[key] for a, b in zip(native, enclave)]
        outcome[key] = {
            "native": statistics.median(row[key] for row in native),
            "enclave": statistics.median(row[key] for row in enclave),
            "overhead_percent": 100 * (statistics.median(ratios) - 1),
            "range_percent": [100 * (min(ratios) - 1), 100 * (max(ratios) - 1)],
        }
    return outcome


def system_calls(pair, programs):
    native, enclave = in_pairs(3, lambda inside: json.loads(run_program(pair, inside, [programs["syscalls"]])))
    return {key: {"native": min(row[key] for row in native), "enclave": min(row[key] for row in enclave)}
            for key in native[0]}


class Redis:
    """A redis-server, native or as an enclave."""

    def __init__(self, pair, inside, port):
        self.pair, self.inside, self.port = pair, inside, port
        command = [shutil.which("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", "",
                   "--appendonly", "no"]
        self.process = None
        if inside:
            pair.optmig("alpha", "run", "--name", "redis", "--detach", "--", *command)
        else:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while self._ping() != "PONG":
            if time.monotonic() > end:
                self.end()
                raise hosts.CommandFailed("redis-server did not come up")
            time.sleep(0.05)

    def _ping(self):
        return subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True, text=True,
                              timeout=10).stdout.strip()

    def measure(self, pipeline, requests):
        """Requests a second: {"GET": ..., "SET": ...}"""
        done = subprocess.run(["redis-benchmark", "-p", str(self.port), "-t", "get,set", "-P", str(pipeline), "-n",
                               str(requests), "--csv"], capture_output=True, text=True, timeout=60)
        rows = csv.DictReader(done.stdout.splitlines())
        return {row["test"]: float(row["rps"]) for row in rows}

    def end(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        else:
            self.pair.optmig("alpha", "stop", "redis")


def redis(pair):
    figures = {}
    ports = dict(zip((False, True), hosts.free_ports(2, 24000)))
    servers = []
    try:
        for inside in (False, True):
            servers.append(Redis(pair, inside, ports[inside]))
        for pipeline, requests in ((1, 60000), (16, 400000)):
            native, enclave = in_pairs(REDIS_TURNS, lambda inside: servers[inside].measure(pipeline, requests))
            for test in native[0]:
                figures["%s -P %d" % (test, pipeline)] = {
                    "native": statistics.median(row[test] for row in native),
                    "enclave": statistics.median(row[test] for row in enclave),
                }
    finally:
        for server in servers:
            server.end()
    return figures


def run(plan, pair, programs, result):
    result["overhead"] = {}
    parts = [("compute", lambda: compute(plan, pair, programs)), ("system_calls", lambda: system_calls(pair, programs))]
    if shutil.which("redis-server") and shutil.which("redis-benchmark"):
        parts.append(("redis", lambda: redis(pair)))
    else:
        result["skipped"].append("redis-benchmark: it is not installed")
    for name, part in parts:
        say("overhead: %s" % name)
        try:
            result["overhead"][name] = part()
        except (hosts.CommandFailed, subprocess.TimeoutExpired, ValueError, KeyError) as error:
            say("overhead: %s: FAILED: %s" % (name, error))
            result["failures"].append("overhead: %s: %s" % (name, error))
