"""A folder of its own and everything that was started in it."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from .process import Process

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


# No stranger's writing holds it up; and the room that one test may want there.
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 1 << 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_folder(parent=None):
    """A new one that others may look into; parent None: of temporary files."""
    folder = Path(tempfile.mkdtemp(prefix="verve-e2e-", dir=parent))
    folder.chmod(0o755)
    return folder


class Sandbox:
    def __init__(self, **settings):
        """settings are those of every program, where it has none of its own."""
        self.settings = settings
        # Short, for the 107 bytes that a unix socket's path may have.
        self.folder = make_folder()
        self.memory = self.memory_folder()
        self.started = []
        self.closers = []

    def memory_folder(self):
        """For data that is to survive a killed process and no more than that:
        a shared disk may take a second for an fsync."""
        if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and \
                shutil.disk_usage(MEMORY).free > MEMORY_BYTES:
            return make_folder(MEMORY)
        return self.folder

    def environment(self, settings=None):
        """Nothing is inherited but what a program needs to run at all."""
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        for name, value in SANITIZERS.items():
            env[name] = f"{value}:log_path={self.folder}/sanitizer"
        settings = {**self.settings, **(settings or {})}
        env.update({k: str(v) for k, v in settings.items()})
        return env

    def start(self, name, argv, settings=None, **kwargs):
        """Starts argv; settings are its environment's VERVE_ variables."""
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
        """Stops everything, last started first. Fails where something had
        ended by itself, was left running, or a sanitizer found something."""
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
