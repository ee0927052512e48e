"""Waiting for a condition, with a deadline; never for luck."""

import time


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


def wait_for_window_start(window_s):
    """Returns just after a window began, by this host's clock."""
    time.sleep(window_s - time.time() % window_s + 0.005)
