"""Metrics in the text format of Prometheus, and what docs/metrics.md says of
them."""

import re

from . import http
from .sandbox import free_port
from .settings import ROOT


def numbers(text):
    """The value of each series."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines)}


def families(text):
    """{(name, type)} of the text."""
    return set(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))


def labels_of(text):
    """{name of a family: its labels} of the families that have a series."""
    types = dict(families(text))
    labels = {}
    for series in numbers(text):
        name = series.partition("{")[0]
        if name not in types:
            name = re.sub(r"_(bucket|sum|count)$", "", name)
        labels.setdefault(name, set()).update(
            set(re.findall(r'(\w+)="', series)) - {"le"})
    return labels


def documented(heading):
    """{name: (type, labels)} of the table below a heading of
    docs/metrics.md."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\|", section, re.M)
    return {name: (kind, set(filter(None, labels.split(", "))))
            for name, kind, labels in rows}


class Scrape:
    """The metrics of a reporter, at a port of its own."""

    def __init__(self):
        self.port = free_port()
        self.settings = {"VERVE_METRICS_LISTEN": f"127.0.0.1:{self.port}"}

    def text(self):
        response = http.fetch(self.port, "/metrics")
        assert response.status == 200, response
        return response.body.decode()

    def __call__(self):
        return numbers(self.text())

    def answers(self):
        try:
            return self()
        except OSError:
            return None
