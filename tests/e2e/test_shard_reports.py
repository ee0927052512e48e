"""The report over three shards on one Redis: two responders and two reporters,
one of which is killed."""

from harness.any_redis import one_server
from harness.expected import Expected
from harness.fastcgi import Responder
from harness.redis import Redis
from harness.reporter import Reporter
from harness.shards import counts_all
from harness.wait import wait_until

SHARDS = 3
WINDOW_S = 2
SETTINGS = {"VERVE_REDIS_SHARDS": SHARDS, "VERVE_WINDOW_SECONDS": WINDOW_S}
pytestmark = one_server("it has three shards of its own")


class Both:
    """Two responders, which are asked in turn."""

    def __init__(self, *responders):
        self.responders = list(responders)

    def ask(self, target):
        self.responders.reverse()
        return self.responders[0].ask(target)


def test_sums_are_exact(sandbox):
    redis = Redis(sandbox).start()
    first, second = (Responder(sandbox, redis, name=name,
                               VERVE_STATS_PATH=sandbox.folder / name).start()
                     for name in ("one", "two"))
    reporters = [Reporter(sandbox, redis, name=name).start()
                 for name in ("first", "second")]
    for responder in first, second:
        wait_until(lambda: counts_all(responder, SHARDS), "all shards count",
                   20.0)
    expected = Expected(Both(first, second), WINDOW_S)
    begun = expected.send(1)
    for number in range(2, 400):
        last = expected.send(number, number // 2)
        if number == 150:
            reporters[0].kill()
        if number == 250:
            reporters[0].start()
    reports = []
    for reporter in reporters:
        report = reporter.wait_reported(last, 30.0)
        reports.append({window: count for window, count in report.items()
                        if window <= last})
        # Ids were sent before, too, to find out that all shards count.
        expected.check({window: count for window, count in report.items()
                        if window > begun} | {begun: expected.count(begun)})
    assert reports[0] == reports[1]
