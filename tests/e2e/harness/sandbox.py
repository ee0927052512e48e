"""A private folder, and all processes that were started in it."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from .authority import shared
from .process import Process
from .settings import REDIS_TLS, SHARDS

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


# Not delayed by the writes of other processes. A test may need this much space.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 1 << 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_folder(parent=None):
    """A new folder that other users may read; parent None: that of temporary
    files."""
    folder = Path(tempfile.mkdtemp(prefix="verve-e2e-", dir=parent))
    folder.chmod(0o755)
    return folder


class Sandbox:
    def __init__(self, **settings):
        """settings: environment variables of all programs, unless a program has
        its own."""
        self.settings = settings
        # Short, for the 107 bytes that a unix socket's path may have.
        self.folder = make_folder()
        self.memory = self.memory_folder()
        self.started = []
        self.closers = []
        self.edge = None  # see edge.py

    def memory_folder(self):
        """For data that must survive a killed process, but no crash of the
        machine: a shared disk may take a second for an fsync."""
        if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and \
                shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
            return make_folder(MEMORY)
        return self.folder

    def environment(self, settings=None):
        """A program inherits only what it needs to run at all. A setting that
        is None is not set."""
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        for name, value in SANITIZERS.items():
            env[name] = f"{value}:log_path={self.folder}/sanitizer"
        if REDIS_TLS:
            # Trusted as the system's are, also if redis.url has no TLS.
            env["SSL_CERT_FILE"] = str(shared()[0].path)
        settings = {"VERVE_STATS_PATH": self.folder / "stats",
                    "VERVE_METRICS_LISTEN": "none",
                    "VERVE_REDIS_SHARDS": None if SHARDS == 1 else SHARDS,
                    **self.settings, **(settings or {})}
        env.update({k: str(v) for k, v in settings.items() if v is not None})
        return env

    def start(self, name, argv, settings=None, **kwargs):
        """Starts argv with the sandbox's settings and its own."""
        process = Process(name, argv, self.folder, self.environment(settings),
                          **kwargs)
        self.started.append(process)
        return process

    def on_close(self, closer):
        """Calls closer() when the sandbox closes, after the processes."""
        self.closers.append(closer)

    def outputs(self):
        """Name and text of every output, for the report of a failure."""
        paths = sorted(self.folder.glob("*.out")) + self.complaints()
        paths += sorted({*self.folder.glob("*.log"),
                         *self.memory.glob("*.log")})
        return [(path.name, path.read_text(errors="replace"))
                for path in paths]

    def complaints(self):
        return sorted(self.folder.glob("sanitizer.*"))

    def close(self):
        """Stops all processes, the last one first. Fails if a process had ended
        by itself or left children running, or if a sanitizer found a fault."""
        problems = []
        for process in reversed(self.started):
            try:
                process.stop()
            except AssertionError as error:
                problems.append(str(error))
        for closer in reversed(self.closers):
            closer()
        for path in self.complaints():
            problems.append(path.read_text(errors="replace"))
        outputs = self.outputs() if problems else []
        shutil.rmtree(self.memory, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        for name, text in outputs:
            print(f"---- {name}\n{text[-20000:]}")
        assert not problems, "\n".join(problems)
