"""To find tests that fail if a window ends meanwhile: VERVE_TEST_EDGE=1.5 makes a
minute turn 1.5 s after the first Redis of a test has started, by Redis's clock.
VERVE_TEST_EDGE=1.5/3600: an hour. Redis's clock and the host's differ then."""

import os
import time

import pytest

from .preload import RedisClock

EDGE = os.environ.get("VERVE_TEST_EDGE", "")

right_clock = pytest.mark.skipif(EDGE != "", reason="Redis's clock is wrong")


def edge_offset_s(now):
    """What to add to the time, at most half the length of a window."""
    seconds, _, length = EDGE.partition("/")
    length_s = float(length or 60)
    offset_s = length_s - float(seconds) - now % length_s
    return offset_s - length_s if offset_s > length_s / 2 else offset_s


def edge_environment(sandbox):
    """Of a redis-server. All of a sandbox have the same clock."""
    if not EDGE:
        return {}
    if not sandbox.edge:
        sandbox.edge = RedisClock(sandbox, "edge")
        sandbox.edge.step_to(edge_offset_s(time.time()))
    return sandbox.edge.environment
