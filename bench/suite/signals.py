"""How a benchmark that is stopped ends."""

import signal
import sys


def end(number, _frame):
    # Once: a second one would end the cleaning up.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def clean_up_when_stopped():
    """INT and TERM end the program after all that it started was stopped."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
