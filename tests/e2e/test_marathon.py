"""The result of the marathon (marathon.py), which started before all other
tests and runs beside them: see conftest.py."""

from harness.settings import MARATHON_WINDOWS
from harness.wait import wait_until


def test_leader_killed_and_stopped_again_and_again(marathon):
    wait_until(lambda: marathon.poll() is not None, "the marathon's end",
               MARATHON_WINDOWS * 1.5 + 60, pause_s=0.5)
    assert marathon.returncode == 0, marathon.output()
