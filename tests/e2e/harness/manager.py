"""The service manager's side of sd_notify(3) and of socket activation."""

import os
import signal
import socket
import sys

from .fastcgi import Responder
from .settings import FCGI
from .wait import wait_until

# Runs argv[2:] with stdin as descriptors from 3 on, argv[1] times.
ACTIVATE = """
import os, sys
for number in range(int(sys.argv[1])):
    os.dup2(0, 3 + number)
offset = int(os.environ.get("PID_OFFSET", 0))  # not 0: for another process
os.environ["LISTEN_PID"] = str(os.getpid() + offset)
os.environ["LISTEN_FDS"] = sys.argv[1]
os.execv(sys.argv[2], sys.argv[2:])
"""


def activated(program, sockets=1):
    """The command that starts program with its stdin as the listener passed by
    socket activation."""
    return [sys.executable, "-c", ACTIVATE, sockets, program]


class Instances(Responder):
    """Responders as the instances of a systemd unit: they share a listener that
    was passed to them, non-blocking, and that stays when they end."""

    def __init__(self, sandbox, redis, name="fcgi", backlog=4096, **settings):
        super().__init__(sandbox, redis, name, backlog, **settings)
        self.listener.setblocking(False)
        self.command = activated(FCGI)

    def restart(self, count):
        """Ends the oldest instances, and starts as many when they have ended."""
        oldest = [one for one in self.processes if one.running()][:count]
        for process in oldest:
            process.signal(signal.SIGTERM)
        for process in oldest:
            assert process.wait() == 0
        self.start(count)


class Manager:
    """Reads what programs say that have these settings."""

    def __init__(self, sandbox, watchdog_s=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"verve-e2e-{os.getpid()}-{id(self)}"
        self.socket.bind(f"\0{name}")
        self.socket.setblocking(False)
        sandbox.on_close(self.socket.close)
        self.settings = {"NOTIFY_SOCKET": f"@{name}"}
        if watchdog_s:
            self.settings["WATCHDOG_USEC"] = int(watchdog_s * 1e6)
        self.lines = []  # all assignments so far

    def read(self):
        """All assignments so far."""
        while True:
            try:
                self.lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.lines

    def forget(self):
        self.read()
        self.lines.clear()

    def wait(self, line, seconds=10.0):
        """Returns once it was said."""
        wait_until(lambda: line in self.read(), f"{line} is said", seconds)
