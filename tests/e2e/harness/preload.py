"""Libraries that are loaded before all others, for false clocks and faults."""

import functools
import struct
import subprocess
from pathlib import Path

import pytest

from .settings import BUILD, REPORTER


@functools.lru_cache
def sanitizer():
    """The sanitizer's library, if any: it has to come first."""
    output = subprocess.run(["ldd", REPORTER], capture_output=True, text=True,
                            check=True).stdout
    for line in output.splitlines():
        if "libasan" in line:
            return [line.split()[2]]
    return []


def preload(library):
    """The environment with which a program of ours loads the library."""
    return {"LD_PRELOAD": ":".join([*sanitizer(), str(library)])}


def faketime(offset_s):
    """The environment of a program whose wall clock is wrong by offset_s."""
    paths = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not paths:
        pytest.skip("there is no libfaketime")
    return {**preload(paths[0]), "FAKETIME": f"{offset_s:+d}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class RedisClock:
    """The wall clock of a redis-server, which steps on command."""

    def __init__(self, sandbox, name="clock"):
        self.path = sandbox.folder / name
        self.step_to(0.0)

    @property
    def environment(self):
        return {"LD_PRELOAD": BUILD / "tests" / "preload" / "clock.so",
                "CLOCK_OFFSET_FILE": self.path}

    def step_to(self, offset_s):
        """Makes the clock wrong by offset_s. The file is not replaced, as the
        server has mapped it."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("q", int(offset_s * 1e6)))
