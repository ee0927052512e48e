"""The whole service under load: every count is right to the last id, and
every callback is made once."""

import json
import random

import pytest
from harness.load import Load, accept, ids_by_window
from harness.records import assert_no_window_missing, epoch
from harness.settings import scaled
from harness.strategies import every_strategy
from harness.wait import wait_for_window_start, wait_until
from harness.web import Web

pytestmark = every_strategy
WINDOW_S = 2
HLL_ERROR = 0.04  # five standard errors
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}


@pytest.fixture
def webs(sandbox, redis):
    """Two lighttpd instances, each with its own pool, on one Redis."""
    return [Web(sandbox, redis, name).start()
            for name in ("web-a", "web-b")]


def assert_none_failed(load, count):
    assert load.summary["requests"] == count
    assert load.summary["failed"] == {}


def assert_reported(reporter, windows, strategy):
    """The report has exactly these counts, and 0 for all other windows."""
    report = reporter.wait_reported(max(windows))
    assert_no_window_missing(report, WINDOW_S)
    expected = {window: len(windows.get(window, ())) for window in report}
    if strategy == "hll":
        for window, count in expected.items():
            assert report[window] == pytest.approx(count, rel=HLL_ERROR)
    else:
        assert report == expected
    assert set(windows) <= set(report)
    return report


def assert_called_back_once(receiver, load, endpoints, report):
    """Exactly one callback for each index in endpoints. Its window is that of
    the answer, and its count is one that the window had."""
    received = receiver.wait_count(len(endpoints), seconds=60.0)
    told = {int(r.query): r for r in received}
    assert len(received) == len(told) == len(endpoints)
    for row in load.rows:
        if row.index in endpoints:
            callback = told[row.index]
            count = json.loads(callback.body)["unique_request_count"]
            assert epoch(callback.headers["verve-window"]) == row.window
            assert 1 <= count <= report[row.window]


def test_every_count_is_right_under_load(sandbox, webs, reporter, receiver,
                                         strategy):
    count = scaled(200_000)
    rng = random.Random(1)
    # A third is repeated, within a window and in later windows.
    ids = [rng.randrange(-count, count) for _ in range(count)]
    endpoints = set(range(0, count, 10))
    targets = [accept(number, receiver.url(f"/cb?{i}")
                      if i in endpoints else None)
               for i, number in enumerate(ids)]
    load = Load(sandbox, [web.host for web in webs], targets).finish()
    assert_none_failed(load, count)
    report = assert_reported(reporter, ids_by_window(load.rows, ids), strategy)
    assert_called_back_once(receiver, load, endpoints, report)
    wait_until(lambda: len(reporter.callbacks()) == len(endpoints),
               "all are logged", pause_s=0.2)
    statuses = [line["status"] for line in reporter.callbacks()]
    assert statuses == ["200"] * len(endpoints)


def test_the_same_id_at_the_same_instant_counts_once(sandbox, webs, reporter,
                                                     strategy):
    count = scaled(10_000)
    ids = random.Random(2).sample(range(1 << 62), count)
    load = Load(sandbox, [web.host for web in webs],
                [accept(number) for number in ids], rate=2000, mirror=True)
    load.finish()
    assert_none_failed(load, 2 * count)
    assert_reported(reporter, ids_by_window(load.rows, ids), strategy)


def test_in_a_quiet_window_callbacks_are_told_1_2_3(redis, webs, reporter,
                                                    receiver):
    for attempt in range(3):
        wait_for_window_start(redis, WINDOW_S)
        answers = [webs[i % 2].get(accept(i, receiver.url(f"/{attempt}?{i}")))
                   for i in range(20)]
        windows = {answer.headers["verve-window"] for answer in answers}
        if len(windows) == 1:
            break
    assert len(windows) == 1, "20 requests never fell into one window"
    callbacks = receiver.wait_count(20, f"/{attempt}")
    told = {int(c.query): json.loads(c.body) for c in callbacks}
    assert told == {i: {"unique_request_count": i + 1} for i in range(20)}
    assert reporter.wait_reported(epoch(windows.pop()))
