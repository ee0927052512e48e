"""marathon.py, with a seed of its own."""

import random
import subprocess
import sys
from pathlib import Path

from harness.process import prepare_child
from harness.settings import MARATHON_WINDOWS


def test_leader_killed_and_stopped_again_and_again():
    program = Path(__file__).with_name("marathon.py")
    run = subprocess.run(
        [sys.executable, "-B", program, str(MARATHON_WINDOWS),
         str(random.randrange(10**6))], capture_output=True, text=True,
        preexec_fn=prepare_child, timeout=MARATHON_WINDOWS * 1.5 + 60)
    assert run.returncode == 0, f"{run.args}\n{run.stdout}{run.stderr}"
