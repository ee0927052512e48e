"""The end of a benchmark after a signal."""

import signal
import sys


def end(number, _frame):
    # Only once: a second signal would interrupt the cleaning up.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def clean_up_when_stopped():
    """After INT or TERM, the program stops all that it started, and ends."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
