"""The service against its API description, by schemathesis; run by `make
test-api`, which installs it from PyPI into the build folder."""

import subprocess

from harness.install import install
from harness.settings import ROOT

CONFIG = ROOT / "tests" / "schemathesis" / "schemathesis.toml"
EXAMPLES = 60  # of a request, besides the chosen ones


def test_no_fault_is_found(web):
    program = install("schemathesis", "venv (python3-venv)")
    done = subprocess.run(
        [program, "--config-file", CONFIG, "run", "--no-color", "--seed", "1",
         "-n", str(EXAMPLES),
         f"http://127.0.0.1:{web.port}/api/verve/openapi.json"],
        capture_output=True, text=True, timeout=600, check=False,
        cwd=web.sandbox.folder)
    # Targets may be very long.
    shown = "\n".join(line[:300] for line in done.stdout.splitlines())
    assert done.returncode == 0, shown + done.stderr
    assert "Tested: " in shown
