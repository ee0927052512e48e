"""A Redis that fails over, judged by the checker of tests/random: no id that was
ok is lost without a gap, and with redis.wait_replicas as docs/sentinel.md says,
none is lost. No window is missing or doubled."""

import sys

import pytest
from harness.edge import right_clock
from harness.settings import ROOT

sys.path.insert(0, str(ROOT / "tests" / "random"))

from plan import Step, make_plan  # noqa: E402
from run import Run  # noqa: E402

pytestmark = right_clock

WINDOW_S = 2
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S, "VERVE_REDIS_TIMEOUT_MS": 400}
OUTAGE_S = 6.0  # from when the programs may see the new master; a shared machine
                # may add seconds


def make_run(sandbox, fault, wait_replicas):
    plan = make_plan(1, [fault], "sentinel")
    plan.front, plan.window_s, plan.strategy = "direct", WINDOW_S, "setnx"
    plan.reporters, plan.wait_replicas = 1, wait_replicas
    plan.clients, plan.pace_s = 4, (0.0, 0.02)
    plan.steps = [Step(2.0 * WINDOW_S, None, fault, 1)]
    return Run(plan, sandbox)


@pytest.mark.parametrize("fault,wait_replicas,loses", [
    ("sentinel-crash", 1, False), ("sentinel-sleep", 1, False),
    ("sentinel-planned", 0, True), ("sentinel-lag", 0, True),
    ("sentinel-switch", 0, False), ("sentinel-partition", 0, True),
    ("sentinel-partition", 1, False)])
def test_a_failover(sandbox, fault, wait_replicas, loses):
    run = make_run(sandbox, fault, wait_replicas)
    run.work()
    run.settle()
    run.world.close()
    findings = run.judge()
    assert findings.wrong == []
    assert findings.windows > 2
    if loses:
        assert findings.lost > 0 and findings.gaps > 0
    else:
        assert findings.lost == 0
    up = run.facts.losses[0].up
    assert min(ask.end for ask in run.facts.asks
               if ask.ok and ask.start > up) < up + OUTAGE_S
