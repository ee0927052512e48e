"""lighttpd as a daemon, with Debian's configuration: a pool that it starts has
neither its terminal nor its stderr."""

import os
import signal
import subprocess

from . import debian
from .process import children, processes_of_group
from .sandbox import free_port
from .wait import wait_until
from .web import wait_until_healthy


class Daemon:
    def __init__(self, sandbox, redis, before=(), **settings):
        self.sandbox = sandbox
        self.port = free_port()
        self.error_log = sandbox.folder / "error.log"
        self.output = sandbox.folder / "daemon.out"
        self.command = [*before, "lighttpd", "-f",
                        debian.site(sandbox, self.port)]
        self.env = sandbox.environment({"VERVE_REDIS_URL": redis.url,
                                        **settings})
        self.pid = None

    def start(self):
        """Returns once a responder answers."""
        with open(self.output, "ab") as out:
            subprocess.run(self.command, env=self.env, stdin=subprocess.DEVNULL,
                           stdout=out, stderr=out, timeout=20, check=True)
        self.pid = int((self.sandbox.folder / "pid").read_text())
        self.sandbox.on_close(self.stop)
        wait_until_healthy(self.port)
        return self

    def responders(self):
        return children(self.pid)

    def stop(self):
        """TERM: its pool ends with it."""
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: not processes_of_group(self.pid), "it has ended")
        self.pid = None
