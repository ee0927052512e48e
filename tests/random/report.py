"""A file of the sink, read without trust."""

import re
from dataclasses import dataclass

from harness.records import complete_lines, epoch

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
LINE = re.compile(
    rf"{TIME}\.\d{{3}}Z (?:INFO|WARN) Unique requests in the last [^:]+: "
    rf"(?P<count>\d+|unknown) window=(?P<window>{TIME}Z)(?: late)?"
    r"(?P<gap> gap)?")


@dataclass
class Line:
    window: int
    count: int  # None: a gap


def read_lines(path):
    """(lines, what is wrong with the file's form)"""
    lines, wrong = [], []
    for text in complete_lines(path):
        match = LINE.fullmatch(text)
        if match is None or bool(match["gap"]) != (match["count"] == "unknown"):
            wrong.append(f"not a line of a report: {text!r}")
            continue
        count = None if match["gap"] else int(match["count"])
        lines.append(Line(epoch(match["window"]), count))
    return lines, wrong


def last_window(path):
    """0: the file has no line."""
    lines, _ = read_lines(path)
    return lines[-1].window if lines else 0
