"""bench/scale: the tables of docs/scaling.md are what it prints, and its model
knows what it must."""

import json
import subprocess
import sys

from harness.settings import ROOT

sys.path.insert(0, str(ROOT / "bench"))

from suite.scaling import (Costs, MOST_SHARDS, capacity, fit,  # noqa: E402
                           installations, need_of, settle)

POINTS = json.loads((ROOT / "bench" / "results" / "scale.json").read_text())
COSTS = Costs(POINTS, "nginx", "setnx")
LOAD = 0.6


def test_the_tables_are_what_the_model_says():
    done = subprocess.run([ROOT / "bench" / "scale"], check=True, text=True,
                          capture_output=True)
    text = (ROOT / "docs" / "scaling.md").read_text()
    assert text.endswith(done.stdout)
    assert done.stdout.count("\n| ") > 30


def test_a_line_is_found():
    line = fit([(n, 90 + 12 * n) for n in (1, 4, 128)])
    assert abs(line.fixed - 90) < 1e-6 and abs(line.each - 12) < 1e-6


def test_batches_grow_with_the_load_of_a_redis():
    ids = [settle(COSTS, rate, 3, LOAD).ids
           for rate in (1000, 50_000, 100_000, 200_000)]
    assert ids == sorted(ids) and ids[0] < 2 < 8 < ids[-1]


def test_no_redis_is_more_than_busy():
    for rate in (1000, 10 ** 5, 10 ** 6):
        need = need_of(COSTS, rate, LOAD)
        assert need.busy < 1.001
        assert need.shards * capacity(COSTS) * LOAD >= rate


def test_what_one_installation_may_have():
    most = MOST_SHARDS * capacity(COSTS) * LOAD
    assert installations(COSTS, most * 0.99, LOAD) == 1
    assert installations(COSTS, most * 1.01, LOAD) == 2
