# SPDX-License-Identifier: Apache-2.0
"""The programs of bench/barrier-cost: how each is built, with the pass and without, and run.

Own ones are in bench/barrier/.  Others are built from Debian's source packages, fetched with the private apt configuration that
pass/musl/build has made.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = ("sort", "btree", "hashjoin", "bfs", "pagerank", "lu", "stencil", "words", "trees")


class NotHere(Exception):
    """It cannot be built here, for want of the network."""


class Broken(Exception):
    """It does not build, or does not run."""


def run(command, directory, reason=None):
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode:
        if reason:
            raise NotHere(reason)
        raise Broken("%s: %s" % (" ".join(command)[:200], (done.stdout + done.stderr)[-800:]))
    return done.stdout


class Program:
    """One that is compiled by one command and run without arguments."""

    def __init__(self, name, home):
        self.name = name
        self.home = home  # of optmig-cc
        self.directory = os.path.join(os.path.dirname(home), "bench-barrier", name)
        self.stats = os.path.join(self.directory, "pass.jsonl")

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def flags(self, variant):
        return ["--optmig-plain"] if variant == "plain" else ["--optmig-stats=" + self.stats]

    def cc(self, variant):
        return [os.path.join(self.home, "optmig-cc")] + self.flags(variant) + ["-O2"]

    def build(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        for variant in ("plain", "marked"):
            self.compile(variant)

    def compile(self, variant):
        source = os.path.join(HERE, "barrier", self.name + ".c")
        run(self.cc(variant) + [source, "-o", self.path(variant)], self.directory)

    def run(self, variant, user_seconds):
        return user_seconds([self.path(variant)], self.directory)

    def statistics(self):
        """What the pass counted in the program's own code: sums over its files."""
        total = {}
        with open(self.stats) as file:
            for line in file:
                for key, count in json.loads(line).items():
                    total[key] = total.get(key, 0) + count
        return total


class Packaged(Program):
    """One from a source package of Debian's."""

    package = None

    def fetch(self):
        """The unpacked source, the same for both variants."""
        store = os.path.join(os.path.dirname(self.directory), "packages")
        tree = os.path.join(store, self.package)
        apt = os.path.join(self.home, "apt")
        if os.path.exists(tree):
            return tree
        os.makedirs(store, exist_ok=True)
        run(["apt-get", "-q", "-o", "Dir::Etc::sourcelist=%s/sources.list" % apt,
             "-o", "Dir::Etc::sourceparts=%s/sources.list.d" % apt, "-o", "Dir::State::lists=%s/lists" % apt,
             "-o", "Dir::Cache=%s/cache" % apt, "-o", "APT::Sandbox::User=root", "source", "--download-only", self.package],
            store, "Debian's source package of %s cannot be fetched" % self.package)
        control = glob.glob(os.path.join(store, self.package + "_*.dsc"))[0]
        run(["dpkg-source", "--no-check", "-x", control, tree], store)
        return tree

    def build(self):
        """What is built without the pass is kept."""
        if not os.path.exists(self.path("plain")):
            shutil.rmtree(self.path("tree-plain"), ignore_errors=True)
            self.compile("plain")
        self.build_marked()

    def build_marked(self):
        shutil.rmtree(self.path("tree-marked"), ignore_errors=True)
        if os.path.exists(self.stats):
            os.remove(self.stats)
        self.compile("marked")

    def compile(self, variant):
        os.makedirs(self.directory, exist_ok=True)
        tree = self.path("tree-" + variant)
        shutil.copytree(self.fetch(), tree, symlinks=True)
        self.make(variant, tree)


class Deflate(Packaged):
    package = "zlib"

    def make(self, variant, tree):
        sources = [os.path.join(HERE, "barrier", "deflate.c")] + [
            path for path in sorted(glob.glob(tree + "/*.c")) if not os.path.basename(path).startswith("gz")]
        run(self.cc(variant) + ["-DHAVE_UNISTD_H", "-I", tree] + sources + ["-o", self.path(variant)], tree)


class Lua(Packaged):
    package = "lua5.4"

    def make(self, variant, tree):
        source = os.path.join(tree, "src")
        with open(os.path.join(source, "lua5.4-deb-multiarch.h"), "w") as file:  # Debian's rules make it
            file.write('#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"\n')
        sources = [path for path in sorted(glob.glob(source + "/*.c")) if not path.endswith("/luac.c")]
        run(self.cc(variant) + ["-DLUA_COMPAT_5_3", "-DLUA_USE_POSIX", "-I", source] + sources +
            ["-lm", "-o", self.path(variant)], source)

    def run(self, variant, user_seconds):
        return user_seconds([self.path(variant), os.path.join(HERE, "barrier", "work.lua")], self.directory)


class Sqlite(Packaged):
    """SQLite's own speedtest1, on the amalgamation that its makefile makes (tclsh)."""

    package = "sqlite3"

    def make(self, variant, tree):
        if not shutil.which("tclsh"):
            raise NotHere("sqlite's makefile needs tclsh (apt-get install tcl)")
        whole = self.path("sqlite3.c")
        if not os.path.exists(whole):
            run(["./configure", "--disable-tcl", "--disable-readline", "--enable-static", "--disable-shared"], tree)
            run(["make", "sqlite3.c"], tree)
            for name in ("sqlite3.c", "sqlite3.h"):
                shutil.copy(os.path.join(tree, name), self.directory)
        run(self.cc(variant) + ["-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-I", self.directory, whole,
                                os.path.join(tree, "test", "speedtest1.c"), "-lm", "-o", self.path(variant)], tree)

    def run(self, variant, user_seconds):
        took, _ = user_seconds([self.path(variant), "--memdb", "--size", "40", "--verify"], self.directory)
        return took, ""  # it prints times


class Redis(Packaged):
    """redis-server under redis-benchmark: the server's user time."""

    package = "redis"
    load = ["-n", "120000", "-c", "10", "-P", "16", "-r", "20000", "-q",
            "-t", "set,get,incr,lpush,rpush,lpop,sadd,hset,zadd,lrange_100,mset"]

    def make(self, variant, tree):
        # The same makefile builds both; only the server is wanted, on musl's allocator.
        cc = " ".join(self.cc(variant))
        run(["make", "-j2", "V=1", "MALLOC=libc", "CC=" + cc, "OPTIMIZATION=-O2", "CFLAGS=-DNO_BACKTRACE", "redis-server"],
            os.path.join(tree, "src"))
        shutil.copy(os.path.join(tree, "src", "redis-server"), self.path(variant))

    def run(self, variant, user_seconds):
        address = self.path("socket")
        server = subprocess.Popen([self.path(variant), "--port", "0", "--unixsocket", address, "--save", "",
                                   "--appendonly", "no", "--dir", self.directory], stdout=subprocess.DEVNULL)
        try:
            self.wait(address, server)
            run(["redis-benchmark", "-s", address] + self.load, self.directory)
        finally:
            server.terminate()
            usage = os.wait4(server.pid, 0)[2]
            server.returncode = 0
        return usage.ru_utime, ""

    @staticmethod
    def wait(address, server):
        end = time.time() + 10
        while time.time() < end:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(address)
                return
            except OSError:
                time.sleep(0.02)
        raise Broken("redis-server does not listen (process %d)" % server.pid)


PACKAGED = {"deflate": Deflate, "lua": Lua, "sqlite": Sqlite, "redis": Redis}


def programs(build):
    home = os.path.join(build, "optmig-cc")
    for variant in ("musl", "musl-plain"):
        if not os.path.exists(os.path.join(home, variant, "lib", "libc.a")):
            raise Broken("there is no %s; make it: cmake --build %s --target optmig-%s" % (variant, build, variant))
    own = [Program(name, home) for name in OWN]
    return own + [kind(name, home) for name, kind in PACKAGED.items()]
