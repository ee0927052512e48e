"""Waiting for a condition, with a deadline; never for luck."""

import time

HOUR_S = 3600
HOUR_ROOM_S = 60  # longer than nearly all tests take


def wait_until(condition, what, seconds=10.0, pause_s=0.01):
    """Returns the first true value of condition(); fails after seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause_s)


def avoid_end_of_hour():
    """Returns at once, or when the next hour has begun. Tests with windows of an
    hour expect that none ends."""
    left_s = HOUR_S - time.time() % HOUR_S
    if left_s < HOUR_ROOM_S:
        time.sleep(left_s + 0.1)


def wait_for_window_start(redis, window_s):
    """Returns just after a window began, by Redis's clock."""
    time.sleep(redis.window_left_s(window_s) + 0.005)
