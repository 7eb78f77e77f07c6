# SPDX-License-Identifier: Apache-2.0
"""What an enclave costs that does not move, in pairs of runs: native, then as an enclave, then the other way."""
import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request

import hosts
from sweep import say

TURNS = 5

NGINX = """daemon off; master_process off; pid {0}/pid; error_log {0}/error.log;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5; keepalive_requests 100000000;
server {{ listen 127.0.0.1:{1}; root {0}; }} }}
"""

# A bulk insert into a table with an index, in memory.
SQL = """create table t(a integer primary key, b integer, c text); create index i on t(b);
begin; with recursive n(x) as (values(1) union all select x + 1 from n where x < 400000)
insert into t select x, (x * 7919) % 1000003, 'row ' || x from n; commit; select count(*), sum(b) from t;"""


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


class Server:
    """A server, native or as an enclave."""

    def __init__(self, pair, inside, command):
        self.pair, self.inside = pair, inside
        self.process = None
        if inside:
            pair.optmig("alpha", "run", "--name", "server", "--detach", "--", *command)
        else:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self.answers():
            if time.monotonic() > end:
                self.end()
                raise hosts.CommandFailed("%s did not come up" % command[0])
            time.sleep(0.05)

    def end(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        else:
            self.pair.optmig("alpha", "stop", "server")


class Redis(Server):
    def __init__(self, pair, inside, port):
        self.port = port
        super().__init__(pair, inside, [shutil.which("redis-server"), "--bind", "127.0.0.1", "--port", str(port),
                                        "--save", "", "--appendonly", "no"])

    def answers(self):
        return subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True, text=True,
                              timeout=10).stdout.strip() == "PONG"

    def measure(self, pipeline, requests):
        """Requests a second: {"GET": ..., "SET": ...}"""
        done = subprocess.run(["redis-benchmark", "-p", str(self.port), "-t", "get,set", "-P", str(pipeline), "-n",
                               str(requests), "--csv"], capture_output=True, text=True, timeout=60)
        rows = csv.DictReader(done.stdout.splitlines())
        return {row["test"]: float(row["rps"]) for row in rows}


class Nginx(Server):
    def __init__(self, pair, inside, port, directory):
        self.url = "http://127.0.0.1:%d/small" % port
        with open("%s/nginx.conf" % directory, "w") as file:
            file.write(NGINX.format(directory, port))
        with open("%s/small" % directory, "w") as file:
            file.write("x" * 1024)
        super().__init__(pair, inside, [shutil.which("nginx"), "-e", "%s/error.log" % directory, "-c",
                                        "%s/nginx.conf" % directory])

    def answers(self):
        try:
            return len(urllib.request.urlopen(self.url, timeout=5).read()) == 1024
        except OSError:
            return False

    def measure(self):
        done = subprocess.run(["wrk", "-t", "1", "-c", "32", "-d", "3", self.url], capture_output=True, text=True,
                              timeout=60)
        if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            raise hosts.CommandFailed("wrk: %s" % done.stdout)
        return {"small files": float(re.search(r"Requests/sec: *([0-9.]+)", done.stdout).group(1))}


def compare_servers(make, measures):
    """Both servers run; each measure in pairs."""
    figures, servers = {}, []
    try:
        for inside in (False, True):
            servers.append(make(inside))
        for label, measure in measures:
            native, enclave = in_pairs(TURNS, lambda inside: measure(servers[inside]))
            for test in native[0]:
                figures[(test + label).strip()] = {
                    "native": statistics.median(row[test] for row in native),
                    "enclave": statistics.median(row[test] for row in enclave),
                }
    finally:
        for server in servers:
            server.end()
    return figures


def redis(pair):
    ports = hosts.free_ports(2, 24000)
    return compare_servers(lambda inside: Redis(pair, inside, ports[inside]),
                           [(" -P 1", lambda server: server.measure(1, 60000)),
                            (" -P 16", lambda server: server.measure(16, 400000))])


def nginx(pair):
    ports = hosts.free_ports(2, 24000)
    with tempfile.TemporaryDirectory() as native, tempfile.TemporaryDirectory() as enclave:
        os.chmod(native, 0o755)
        os.chmod(enclave, 0o755)
        return compare_servers(lambda inside: Nginx(pair, inside, ports[inside], enclave if inside else native),
                               [("", lambda server: server.measure())])


def sqlite(pair):
    """Bulk insert in memory: inserts of a second; more is better, as of servers."""
    def once(inside):
        begun = time.monotonic()
        outcome = run_program(pair, inside, [shutil.which("sqlite3"), ":memory:", SQL])
        return {"rate": 1 / (time.monotonic() - begun), "result": outcome}

    native, enclave = in_pairs(TURNS, once)
    if len({row["result"] for row in native + enclave}) != 1:
        raise hosts.CommandFailed("sqlite3: the results differ between runs")
    return {"bulk insert": {"native": statistics.median(row["rate"] for row in native),
                            "enclave": statistics.median(row["rate"] for row in enclave)}}


def run(plan, pair, programs, result):
    result["overhead"] = {}
    parts = [("compute", lambda: compute(plan, pair, programs)), ("system_calls", lambda: system_calls(pair, programs))]
    for name, needed, part in (("redis", ("redis-server", "redis-benchmark"), redis), ("nginx", ("nginx", "wrk"), nginx),
                               ("sqlite", ("sqlite3",), sqlite)):
        missing = [program for program in needed if not shutil.which(program)]
        if missing:
            result["skipped"].append("%s: %s is not installed" % (name, missing[0]))
        else:
            parts.append((name, lambda part=part: part(pair)))
    for name, part in parts:
        say("overhead: %s" % name)
        try:
            result["overhead"][name] = part()
        except (hosts.CommandFailed, subprocess.TimeoutExpired, ValueError, KeyError) as error:
            say("overhead: %s: FAILED: %s" % (name, error))
            result["failures"].append("overhead: %s: %s" % (name, error))
