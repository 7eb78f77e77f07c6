# SPDX-License-Identifier: Apache-2.0
"""The two daemons, and the programs that are needed."""
import json
import os
import shutil
import socket
import subprocess
import tempfile


class CannotBegin(Exception):
    pass


class CommandFailed(Exception):
    pass


def find_programs(build):
    programs = {}
    for name in ("optmig", "optmigd"):
        places = [os.path.join(build, place, name) for place in ("bin", "cli", "host", ".")]
        found = [place for place in places if os.access(place, os.X_OK) and os.path.isfile(place)]
        if not found:
            raise CannotBegin("there is no %s in %s; build first: make" % (name, build))
        programs[name] = os.path.abspath(found[0])
    for name in ("victim", "compute", "syscalls", "fill"):
        path = os.path.abspath(os.path.join(build, "bench", name))
        if not os.access(path, os.X_OK):
            raise CannotBegin("there is no %s; build first: make" % path)
        programs[name] = path
    if os.geteuid():
        raise CannotBegin("moving needs root (userfaultfd for faults in system calls): sudo make bench")
    return programs


def free_ports(count, first=28000):
    """Below the range from which the kernel gives out ports by itself."""
    ports = []
    port = first + os.getpid() % 3000
    while len(ports) < count:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                pass
        port += 1
    return ports


class Hosts:
    """alpha and beta, in a directory that is gone afterwards.  An enclave moves from `here` to the other."""

    def __init__(self, programs):
        self.programs = programs
        self.daemons = []

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="optmig-bench.")
        self.ports = dict(zip(("alpha", "beta"), free_ports(2)))
        try:
            for name in self.ports:
                self._start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, *leaves):
        return os.path.join(self.directory, *leaves)

    def _start(self, name):
        log = open(self.path(name + ".log"), "wb")
        self.daemons.append(subprocess.Popen(
            [self.programs["optmigd"], "--listen", "127.0.0.1:%d" % self.ports[name], "--state", self.path(name)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        log.close()
        try:
            self.optmig(name, "ping", "--wait", "10s", timeout=15)
        except CommandFailed as error:
            with open(self.path(name + ".log"), errors="replace") as text:
                raise CannotBegin("the daemon %s did not come up: %s\n%s" % (name, error, text.read()))

    def optmig(self, host, *arguments, timeout=30):
        """Output of the command; CommandFailed with what it said otherwise."""
        command = [self.programs["optmig"], "--host", self.path(host)] + list(arguments)
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=timeout)
        except subprocess.TimeoutExpired:
            raise CommandFailed("optmig %s: no end after %d s" % (arguments[0], timeout))
        if done.returncode:
            raise CommandFailed("optmig %s ended with status %d: %s" %
                                (arguments[0], done.returncode, (done.stderr or done.stdout).strip()[-600:]))
        return done.stdout

    def migrate(self, name, here, mode, tracker, timeout):
        there = "beta" if here == "alpha" else "alpha"
        arguments = ["migrate", name, "--to", "127.0.0.1:%d" % self.ports[there], "--mode", mode, "--json"]
        if tracker:
            arguments += ["--tracker", tracker]
        return there, json.loads(self.optmig(here, *arguments, timeout=timeout))
