"""Libraries that are loaded before all others, to lie about the time."""

import functools
import subprocess
from pathlib import Path

import pytest

from .settings import REPORTER


@functools.lru_cache
def sanitizer():
    """The sanitizer's library, which has to come first where there is one."""
    output = subprocess.run(["ldd", REPORTER], capture_output=True, text=True,
                            check=True).stdout
    for line in output.splitlines():
        if "libasan" in line:
            return [line.split()[2]]
    return []


def preload(library):
    return {"LD_PRELOAD": ":".join([*sanitizer(), str(library)])}


def faketime(offset_s):
    """The environment of a program whose wall clock is off by that much."""
    paths = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not paths:
        pytest.skip("there is no libfaketime")
    return {**preload(paths[0]), "FAKETIME": f"{offset_s:+d}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
