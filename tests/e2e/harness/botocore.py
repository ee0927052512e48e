"""The signature of botocore, AWS's own client, for a request."""

import json
import subprocess

from .install import install
from .settings import ROOT

PROGRAM = ROOT / "tests" / "botocore" / "sign.py"


def authorization(**request):
    """The header by botocore; request: see tests/botocore/sign.py. Skips the
    test if botocore can't be installed."""
    python = install("botocore", "venv (python3-venv)")
    result = subprocess.run(
        [python, PROGRAM], input=json.dumps(request), capture_output=True,
        text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
