# SPDX-License-Identifier: Apache-2.0
"""A user at a terminal: drives `optmig run -t` and `optmig attach` through a pseudo-terminal (tests/run.d/72-terminals).

  from terminal import User
  user = User(["optmig", "run", "-it", "--", "python3"]); user.expect(">>> "); user.type("1+1\r"); user.expect("2\r\n")
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

LIMIT_S = 20


class User:
    def __init__(self, command, rows=24, columns=80):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvp(command[0], command)
            finally:
                os._exit(127)
        self.seen = ""
        self.resize(rows, columns)
        self.modes = None

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern):
        """Waits for the text (a regular expression) behind all that was expected before."""
        end = time.monotonic() + LIMIT_S
        while True:
            match = re.search(pattern, self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return match
            if time.monotonic() > end or (not self.read(0.5) and self.ended()):
                sys.exit("expected %r, there is %r" % (pattern, self.seen[-500:]))

    def ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def end(self):
        """Its exit status, once it has ended; what it says last is read."""
        finish = time.monotonic() + LIMIT_S
        while not self.ended():
            self.read(0.1)
            if time.monotonic() > finish:
                sys.exit("it does not end; it has said %r" % self.seen[-500:])
        while self.read(0):
            pass
        return self.status

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO)
