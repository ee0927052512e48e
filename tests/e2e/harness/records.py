"""The report file and the callback log: lines, parsed and checked."""

import calendar
import re
import time

from .log_lines import parse_pairs
from .wait import wait_until

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
REPORT_LINE = re.compile(
    rf"(?P<written>{TIME}\.\d{{3}}Z) (?P<level>INFO|WARN) "
    r"Unique requests in the last (?P<length>minute|\d+ seconds): "
    r"(?P<count>\d+|unknown) "
    rf"window=(?P<window>{TIME}Z)(?P<note>| late| gap)")


def epoch(text):
    """2026-01-02T03:04:00Z as epoch seconds."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def complete_lines(path):
    """The lines of a file; without a last line that has no end yet."""
    if not path.exists():
        return []
    text = path.read_text()
    return text[:text.rfind("\n") + 1].splitlines()


def read_report(path):
    """{window: count} of the text format; count is None for a gap.

    Each window has exactly one line, and the windows are in order."""
    report = {}
    for line in complete_lines(path):
        match = REPORT_LINE.fullmatch(line)
        assert match, f"not a report line: {line!r}"
        window = epoch(match["window"])
        assert window not in report, f"a second line: {line!r}"
        assert not report or window > max(report), f"out of order: {line!r}"
        gap = match["note"] == " gap"
        assert gap == (match["count"] == "unknown"), line
        assert gap == (match["level"] == "WARN"), line
        assert match["length"] != "60 seconds", line
        report[window] = None if gap else int(match["count"])
    return report


def wait_reported(read, window, seconds=15.0, pause_s=0.05):
    """{window: count} as read() returns it, once window (epoch second) is in
    it."""
    wait_until(lambda: window in read(), f"window {window} is reported",
               seconds, pause_s)
    return read()


def assert_no_window_missing(report, window_s):
    """The windows are consecutive."""
    windows = sorted(report)
    assert windows == list(range(windows[0], windows[-1] + 1, window_s))


def read_callbacks(path):
    """Lines of the callback log as dicts; `time` is the first word."""
    attempts = []
    for line in complete_lines(path):
        when, words = line.split(" ", 1)
        attempt = parse_pairs(words)
        assert set(attempt) - {"trace"} == {
            "job", "window", "host", "attempt", "status", "error", "count",
            "duration_ms", "next"}, line
        attempts.append({"time": when, **attempt})
    return attempts
