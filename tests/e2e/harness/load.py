"""The load generator bench/load, and its results."""

import json
import urllib.parse
from dataclasses import dataclass

from .records import epoch
from .settings import LOAD


def accept(number, endpoint=None):
    """The target that accepts an id."""
    target = f"/api/verve/accept?id={number}"
    if endpoint:
        target += "&endpoint=" + urllib.parse.quote(endpoint, safe="")
    return target


@dataclass
class Row:
    """The result of one request."""
    index: int  # of its target
    host: int
    status: int  # 0: no answer
    window: int  # epoch second; None: no Verve-Window
    word: str
    latency_s: float
    start_s: float  # since the Unix epoch

    @property
    def ok(self):
        return self.status == 200 and self.word == "ok"

    @property
    def end_s(self):
        return self.start_s + self.latency_s


def read_rows(path):
    windows = {"-": None}
    rows = []
    with open(path, encoding="ascii") as file:
        for line in file:
            index, host, status, window, word, latency, start = line.split()
            if window not in windows:
                windows[window] = epoch(window)
            rows.append(Row(int(index), int(host), int(status),
                            windows[window], word, int(latency) / 1e6,
                            int(start) / 1e6))
    return rows


class Load:
    """A run in the background; finish() waits for it."""

    def __init__(self, sandbox, hosts, targets, connections=64, rate=None,
                 mirror=False):
        self.results = sandbox.folder / "results.tsv"
        target_file = sandbox.folder / "targets.txt"
        target_file.write_text("\n".join(targets) + "\n")
        argv = [LOAD, "-c", connections, "-f", target_file, "-o", self.results]
        argv += ["-r", rate] if rate else []
        argv += ["-m"] if mirror else []
        self.process = sandbox.start("load", argv + list(hosts))
        self.summary = None
        self.rows = []

    def finish(self, seconds=120.0):
        code = self.process.wait(seconds)
        output = self.process.output()
        assert code == 0, output
        self.summary = json.loads(output.splitlines()[-1])
        self.rows = read_rows(self.results)
        assert len(self.rows) == self.summary["requests"]
        return self


def ids_by_window(rows, ids):
    """{window: set of the ids that were answered ok with that window}."""
    windows = {}
    for row in rows:
        if row.ok:
            windows.setdefault(row.window, set()).add(ids[row.index])
    return windows
