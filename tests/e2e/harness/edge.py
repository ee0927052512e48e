"""To find tests that fail if a window ends meanwhile: VERVE_TEST_EDGE=1.5 makes a
minute turn 1.5 s after the first Redis of a test has started, by Redis's clock.
That clock and the host's differ then."""

import os
import time

import pytest

from .preload import RedisClock

MINUTE_S = 60
EDGE = os.environ.get("VERVE_TEST_EDGE", "")
# By how much Redis's clock may be wrong.
SKEW_S = MINUTE_S / 2 if EDGE else 0

right_clock = pytest.mark.skipif(EDGE != "", reason="Redis's clock is wrong")


def edge_offset_s(now):
    """What to add to the time, at most half a minute."""
    offset_s = MINUTE_S - float(EDGE) - now % MINUTE_S
    return offset_s - MINUTE_S if offset_s > MINUTE_S / 2 else offset_s


def edge_environment(sandbox):
    """Of a redis-server. All of a sandbox have the same clock."""
    if not EDGE:
        return {}
    if not sandbox.edge:
        sandbox.edge = RedisClock(sandbox, "edge")
        sandbox.edge.step_to(edge_offset_s(time.time()))
    return sandbox.edge.environment
