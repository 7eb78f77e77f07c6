# SPDX-License-Identifier: Apache-2.0
"""The cases of tests/run.d/72-terminals: terminal_cases.py CASE OPTMIG ALPHA-STATE ALPHA-ADDRESS BETA-STATE BETA-ADDRESS DIRECTORY"""
import json
import os
import signal
import subprocess
import sys
import time

from terminal import LIMIT_S, User

CASE, OPTMIG, ALPHA, AT_ALPHA, BETA, AT_BETA, DIRECTORY = sys.argv[1:]
ADDRESS = {ALPHA: AT_ALPHA, BETA: AT_BETA}
OTHER = {ALPHA: BETA, BETA: ALPHA}
FOLLOW = ["--follow", ALPHA, "--follow", BETA]
TYPED = """import os, sys
sys.stdout.write('ready\\n'); sys.stdout.flush()
while not os.path.exists(sys.argv[1]): pass
print([input(), input(), input()])"""


def optmig(host, *arguments, expect=0):
    done = subprocess.run([OPTMIG, "--host", host, *arguments], capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode != expect:
        sys.exit("%s: status %d: %s%s" % (arguments, done.returncode, done.stdout, done.stderr))
    return done.stdout + done.stderr


def migrate(name, host, mode="hybrid"):
    optmig(host, "migrate", name, "--to", ADDRESS[OTHER[host]], "--mode", mode, "--json")
    return OTHER[host]


def run(name, *program, options=()):
    return User([OPTMIG, "--host", ALPHA, "run", "-it", "--name", name, *options, "--", *program])


def until(condition, what):
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            sys.exit("never: " + what)
        time.sleep(0.01)


def session():
    """python3 is typed to while it moves: every line is answered, ^C interrupts, the window's size follows."""
    user, host = run("session", "/usr/bin/python3", options=FOLLOW), ALPHA
    user.expect(">>> ")
    for number, mode in enumerate(["hybrid", "postcopy", "precopy", "stopcopy"]):
        user.type("40%d+" % number)
        user.expect(r"40%d\+" % number)
        host = migrate("session", host, mode)
        user.type("2\r")
        user.expect(r"40%d\r\n>>> " % (number + 2))
    user.type("while True: pass\r\r")
    user.expect(r"pass\r\n")
    host = migrate("session", host)
    user.type("\x03")
    user.expect("KeyboardInterrupt")
    user.expect(">>> ")
    user.resize(50, 132)
    user.type("import os; os.get_terminal_size()\r")
    user.expect("columns=132, lines=50")
    host = migrate("session", host)
    user.type("os.get_terminal_size(), os.isatty(0), os.tcgetpgrp(0) == os.getpgrp(), open('/dev/tty').isatty()\r")
    user.expect(r"columns=132, lines=50\), True, True, True\)")
    user.type("exit(7)\r")
    if user.end() != 7 or user.is_raw():
        sys.exit("status %d, raw %s" % (user.status, user.is_raw()))


def typed_ahead():
    """Lines, and half of one, that nobody has read yet go along; and stay if the move fails."""
    go = os.path.join(DIRECTORY, "go")
    user = run("ahead", "/usr/bin/python3", "-c", TYPED, go, options=FOLLOW)
    user.expect("ready")
    user.type("one\rtwo\rthr")
    user.expect("one\r\ntwo\r\nthr")
    optmig(ALPHA, "check", "ahead", "--to", ADDRESS[BETA])
    migrate("ahead", ALPHA)
    user.type("o\x7fee\r")  # what is no whole line yet can still be edited
    open(go, "w").close()
    user.expect(r"\['one', 'two', 'three'\]")
    user.end()


def failed_move():
    """The destination cannot have a file that was opened after it was asked: what was typed and not read is still there."""
    go, opened, hidden = (os.path.join(DIRECTORY, name) for name in ("go", "opened", "hidden/file"))
    waits = """import os, sys
sys.stdout.write('ready\\n'); sys.stdout.flush()
while not os.path.exists(%r): pass
file = open(%r, 'w')
os.unlink(%r)
while not os.path.exists(%r): pass
print([input(), input(), input()])""" % (opened, hidden, opened, go)
    user = run("stays", "/usr/bin/python3", "-c", waits)
    user.expect("ready")
    user.type("one\rtwo\rthr")
    user.expect("one\r\ntwo\r\nthr")
    hold = os.environ["OPTMIG_TEST_HOLD_FILE"]
    open(hold, "w").close()
    move = subprocess.Popen([OPTMIG, "--host", ALPHA, "migrate", "stays", "--to", ADDRESS[BETA], "--json"],
                            stdout=subprocess.PIPE, text=True)
    until(lambda: '"precopy"' in optmig(ALPHA, "status", "stays", "--json"), "pre-copy")
    open(opened, "w").close()
    until(lambda: not os.path.exists(opened), "the file is open")
    os.unlink(hold)
    answer = move.communicate(timeout=LIMIT_S)[0]
    if move.returncode != 3 or "hidden/file" not in answer:
        sys.exit("status %d: %s" % (move.returncode, answer))
    user.type("ee\r")
    open(go, "w").close()
    user.expect(r"\['one', 'two', 'three'\]")
    user.end()


def attach():
    """Detach, attach twice at once, see what was shown; nobody attached does not stop the program."""
    user = run("many", "/usr/bin/python3", options=FOLLOW)
    user.expect(">>> ")
    user.type("print('shown ' + 'before')\r")
    user.expect("shown before")
    user.type("\x10\x11")
    user.expect("detached")
    if user.end() != 0 or user.is_raw():
        sys.exit("detaching: status %d" % user.status)
    one = User([OPTMIG, "--host", ALPHA, "attach", "many", *FOLLOW])
    one.expect("shown before")
    one.expect(">>> ")
    two = User([OPTMIG, "--host", ALPHA, "attach", "many"])
    two.expect(">>> ")
    one.type("[print('x' * 99) for i in range(2000)].count(0), 'all'\r")
    one.expect(r"\(0, 'all'\)")
    two.expect(r"\(0, 'all'\)")
    migrate("many", ALPHA)
    two.expect("has moved to .* and runs on there")
    if two.end() != 0 or two.is_raw():
        sys.exit("left behind: status %d" % two.status)
    one.type("7*6\r")
    one.expect("42\r\n>>> ")
    os.kill(one.pid, signal.SIGTERM)
    if one.end() != 128 + signal.SIGTERM or one.is_raw():
        sys.exit("a signal: status %d" % one.status)
    optmig(BETA, "stop", "many")
    if "shown before" not in open(os.path.join(ALPHA, "logs", "many.log")).read():
        sys.exit("the log does not have what was shown")


def foreground():
    """Started on a terminal of the user's, without -t: has one of its own where it arrives."""
    user = User([OPTMIG, "--host", ALPHA, "run", "--quiet", "--name", "front", "--", "/usr/bin/python3", "-i", "-c", "mark = 6"])
    user.expect(">>> ")
    migrate("front", ALPHA)
    user.end()
    there = User([OPTMIG, "--host", BETA, "attach", "front"])
    there.type("mark * 7\r")
    there.expect("42\r\n>>> ")
    there.type("exit(3)\r")
    if there.end() != 3:
        sys.exit("status %d" % there.status)


def refused():
    """Wrong uses say why."""
    optmig(ALPHA, "run", "--name", "plain", "--detach", "--", "/usr/bin/sleep", "100")
    if "no terminal" not in optmig(ALPHA, "attach", "plain", expect=1):
        sys.exit("no reason")
    optmig(ALPHA, "attach", "nobody", expect=1)
    optmig(ALPHA, "attach", expect=2)
    optmig(ALPHA, "run", "--follow", BETA, "--", "true", expect=2)
    optmig(ALPHA, "stop", "plain")
    user = run("brief", "/usr/bin/echo", "said it")
    user.expect("said it")
    if user.end() != 0:
        sys.exit("status %d" % user.status)
    user = run("absent", "/nowhere/program")
    if user.end() != 127:
        sys.exit("status %d" % user.status)


{function.__name__: function for function in (session, typed_ahead, failed_move, attach, foreground, refused)}[CASE]()
