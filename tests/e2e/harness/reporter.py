"""verve-reporter, with its own report file and callback log."""

from .process import (children, name_of, processes_of_group, times_ready)
from .records import read_callbacks, read_report, wait_reported
from .settings import REPORTER
from .wait import wait_until


# Settings with which a callback fails, or is given up, within seconds.
QUICK_CALLBACKS = {
    "VERVE_CALLBACKS_RETRY_DELAYS_S": "1,1,1",
    "VERVE_CALLBACKS_TIMEOUT_MS": 2000,
    "VERVE_CALLBACKS_CONNECT_TIMEOUT_MS": 2000,
    "VERVE_CALLBACKS_LEASE_S": 4}


class Reporter:
    def __init__(self, sandbox, redis, name="reporter", before=(), stdout=None,
                 **settings):
        self.sandbox = sandbox
        self.name = name
        self.command = [*before, REPORTER]
        self.stdout = stdout
        self.report_path = settings.get("VERVE_FILE_PATH",
                                        sandbox.memory / f"{name}-unique.txt")
        self.callback_log = sandbox.folder / f"{name}-callbacks.txt"
        self.settings = {
            "VERVE_REDIS_URL": redis.url_of("verve-reporter"),
            # The default, as the reporter tries again by itself, and callbacks
            # are delayed for as long as it waits.
            "VERVE_REDIS_TIMEOUT_MS": 250,
            "VERVE_FILE_PATH": self.report_path,
            "VERVE_CALLBACKS_LOG": self.callback_log,
            "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8",  # the receivers here
            **settings}
        self.process = None

    def start(self):
        """Returns once it has logged `ready`."""
        seen = 0
        if self.process:
            seen = times_ready(self.process)
        self.process = self.sandbox.start(self.name, self.command,
                                          self.settings, stdout=self.stdout)
        wait_until(self.is_ready(seen), f"{self.name} is ready")
        return self

    def is_ready(self, seen):
        def check():
            assert self.process.running(), self.process.output()
            return times_ready(self.process) > seen
        return check

    def worker(self, name="callbacks-1"):
        """The pid of a worker; None while it does not run."""
        return self.workers().get(name)

    def workers(self):
        """{name: pid} of the workers that run."""
        return {name_of(pid): pid for pid in children(self.process.pid)}

    def wait_restarted(self, name, pid, seconds=10.0):
        """The pid of the worker that runs in place of pid, once it is ready."""
        self.process.wait_output(f"{name}[{pid}] has ended", seconds)
        return wait_until(
            lambda: (new := self.worker(name)) and new != pid and
            f"{name}[{new}] is ready again" in self.process.output() and new,
            f"{name} runs again", seconds)

    def kill(self):
        """kill -9 of the supervisor: the kernel kills its workers."""
        self.process.kill()
        wait_until(lambda: not processes_of_group(self.process.pid),
                   "its workers have ended")

    def term(self, seconds=10.0):
        """TERM; returns the exit code."""
        return self.process.stop(seconds)

    def report(self):
        """{window: count} of the report file, each window in one line."""
        return read_report(self.report_path)

    def callbacks(self):
        """The lines of the callback log, each a dict."""
        return read_callbacks(self.callback_log)

    def wait_reported(self, window, seconds=15.0):
        return wait_reported(self.report, window, seconds)
