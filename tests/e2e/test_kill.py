"""kill -9 of a responder, the reporter or Redis under load. No accepted id is
lost or counted twice, no line of the report is missing or doubled, and each
callback of an `ok` is made."""

import os
import random
import signal
import time

from harness.edge import right_clock
from harness.load import Load, accept, ids_by_window
from harness.records import assert_no_window_missing
from harness.settings import SCALE
from harness.strategies import exact_strategies
from harness.wait import wait_until

pytestmark = right_clock

WINDOW_S = 1
CONNECTIONS = 32
SECONDS = 6
RATE = int(2000 * max(SCALE, 0.25))
SETTINGS = {
    "VERVE_WINDOW_SECONDS": WINDOW_S,
    "VERVE_CALLBACKS_TIMEOUT_MS": 2000, "VERVE_CALLBACKS_LEASE_S": 4,
    "VERVE_CALLBACKS_RETRY_DELAYS_S": "1,1,1,1,1"}
REDIS = {"fsync": "always"}  # confirmed writes survive a kill


class Run:
    """A load of SECONDS, every tenth request with an endpoint."""

    def __init__(self, sandbox, web, receiver):
        count = RATE * SECONDS
        rng = random.Random(3)
        self.ids = [rng.randrange(count) for _ in range(count)]
        self.receiver = receiver
        targets = [accept(number, receiver.url(f"/cb?{i}")
                          if i % 10 == 0 else None)
                   for i, number in enumerate(self.ids)]
        self.load = Load(sandbox, [web.host], targets, CONNECTIONS, RATE)

    def finish(self):
        self.load.finish()
        return self

    @property
    def failed(self):
        return [row for row in self.load.rows if not row.ok]

    def maybe_counted(self, window):
        """Ids without an ok that may be counted in this window."""
        return {self.ids[row.index] for row in self.failed
                if row.start_s < window + WINDOW_S + 0.1
                and row.end_s > window - 0.1}

    def assert_reported(self, reporter):
        """Each count is at least the ids with an ok, and at most those and the
        ids whose answers were lost."""
        accepted = ids_by_window(self.load.rows, self.ids)
        report = reporter.wait_reported(max(accepted))
        assert_no_window_missing(report, WINDOW_S)
        for window, count in report.items():
            known = accepted.pop(window, set())
            most = known | self.maybe_counted(window)
            assert count is not None, f"window {window} is a gap"
            assert len(known) <= count <= len(most), window
        assert not accepted, "windows without a line"

    def assert_called_back(self):
        """Every endpoint of an ok was called; returns the times of each."""
        wanted = {row.index for row in self.load.rows
                  if row.ok and row.index % 10 == 0}

        def missing():
            return wanted - {int(r.query) for r in list(self.receiver.received)}
        wait_until(lambda: not missing(), "all callbacks are made", 20.0, 0.1)
        times = {}
        for request in self.receiver.received:
            index = int(request.query)
            times[index] = times.get(index, 0) + 1
        lost = {row.index for row in self.failed}
        assert set(times) <= wanted | lost
        return times


def test_a_killed_responder_loses_only_what_it_had_taken(sandbox, web,
                                                         reporter, receiver):
    run = Run(sandbox, web, receiver)
    killed = []
    for _ in range(3):
        time.sleep(SECONDS / 5)
        # lighttpd restarts a responder, but not at once; without any,
        # every request fails.
        wait_until(lambda: len(web.responders()) == 2, "both live")
        killed.append(time.time())
        os.kill(web.responders()[0], signal.SIGKILL)
    run.finish()
    wait_until(lambda: len(web.responders()) == 2, "the pool is whole again")
    # Only requests that the killed responder had taken are lost.
    assert len(run.failed) <= CONNECTIONS * len(killed)
    for row in run.failed:
        assert any(row.start_s - 1 < at < row.end_s + 1 for at in killed), row
    run.assert_reported(reporter)
    assert set(run.assert_called_back().values()) == {1}


def test_a_killed_reporter_loses_nothing(sandbox, web, reporter, receiver):
    run = Run(sandbox, web, receiver)
    for _ in range(3):
        time.sleep(SECONDS / 5)
        reporter.kill()
        reporter.start()
    run.finish()
    assert run.failed == []
    run.assert_reported(reporter)
    run.assert_called_back()


@exact_strategies
def test_a_killed_redis_loses_no_ok(sandbox, web, redis, reporter, receiver):
    run = Run(sandbox, web, receiver)
    time.sleep(SECONDS / 3)
    killed = time.time()
    redis.kill()
    time.sleep(0.5)
    redis.start()
    back = time.time()
    run.finish()
    assert run.failed
    for row in run.failed:
        assert row.status == 503, row
        assert row.end_s > killed - 0.1 and row.start_s < back + 3, row
    run.assert_reported(reporter)
    run.assert_called_back()
