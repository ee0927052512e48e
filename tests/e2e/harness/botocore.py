"""What botocore, AWS's own client, makes of a request: tests/botocore."""

import json
import os
import subprocess

import pytest

from .settings import BUILD, ROOT

FOLDER = ROOT / "tests" / "botocore"


def install():
    """The path of its Python; skips the test if there is no venv."""
    result = subprocess.run(
        [FOLDER / "install", BUILD / "botocore"], capture_output=True,
        text=True, timeout=300, env=dict(os.environ), check=False)
    if result.returncode == 77:
        pytest.skip("there is no venv (python3-venv)")
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def authorization(**request):
    """The header by botocore; request: see tests/botocore/sign.py."""
    result = subprocess.run(
        [install(), FOLDER / "sign.py"], input=json.dumps(request),
        capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
