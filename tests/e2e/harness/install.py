"""Programs that Debian does not have: tests/<name>/install puts them into the
build folder."""

import os
import subprocess

import pytest

from .settings import BUILD, ROOT

CANNOT = 77  # exit code: a tool that is needed is missing


def install(name, needs, seconds=300):
    """The output of tests/<name>/install. Skips the test if `needs` is
    missing."""
    result = subprocess.run(
        [ROOT / "tests" / name / "install", BUILD / name],
        capture_output=True, text=True, timeout=seconds, env=dict(os.environ),
        check=False)
    if result.returncode == CANNOT:
        pytest.skip(f"there is no {needs}")
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
