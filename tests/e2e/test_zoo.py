"""The result of a callback to each animal of harness/zoo.py. A reporter calls
all of them at the same time, twice at most."""

import time

import pytest
from harness.edge import right_clock
from harness.mounts import needs_mounts, wrap
from harness.process import memory_kb
from harness.queue import dead, due, put
from harness.redis import Redis
from harness.reporter import Reporter
from harness.resolver import Resolver
from harness.sandbox import Sandbox
from harness.settings import SANITIZED
from harness.tls import BUNDLE
from harness.wait import wait_until
from harness.zoo import ANIMALS, ODD, RETRY_AFTER_S, Zoo

TIMEOUT_S = 2.0
# The animal, status and error of each attempt, the error in the dead list.
ROWS = [
    ("ok", ["200 -"], None),
    ("500", ["500 status-500", "500 status-500"], "status-500"),
    ("404", ["404 status-404", "404 status-404"], "status-404"),
    ("408", ["408 status-408", "408 status-408"], "status-408"),
    ("425", ["425 status-425", "425 status-425"], "status-425"),
    ("410", ["410 status-410"], "status-410"),
    ("seconds", ["429 status-429", "429 status-429"], "status-429"),
    ("date", ["429 status-429", "429 status-429"], "status-429"),
    ("garbage", ["429 status-429", "429 status-429"], "status-429"),
    ("huge", ["429 status-429"], None),  # see below
    ("redirect", ["302 status-302", "302 status-302"], "status-302"),
    ("hang", ["- timeout", "- timeout"], "timeout"),
    ("drip", ["- timeout", "- timeout"], "timeout"),
    ("slow-body", ["200 -"], None),
    ("flood", ["200 -"], None),
    ("chunked", ["200 -"], None),
    ("bomb", ["200 -"], None),
    ("coded", ["200 -"], None),
    *((name, ["200 -"], None) for name in ODD),
    ("odd-500", ["500 status-500", "500 status-500"], "status-500"),
    ("odd-410", ["410 status-410"], "status-410"),
    ("odd-103", ["- malformed", "- malformed"], "malformed"),
    ("big-head", ["- too-large", "- too-large"], "too-large"),
    ("long-line", ["- too-large", "- too-large"], "too-large"),
    ("reset", ["- reset", "- reset"], "reset"),
    ("http09", ["- malformed", "- malformed"], "malformed"),
    ("bad-tls", ["- tls", "- tls"], "tls"),
    ("old-tls", ["- tls", "- tls"], "tls"),
    ("good-tls", ["- tls", "- tls"], "tls"),  # see below
]


class Visit:
    """One job for each animal, until all but `huge` are settled."""

    def __init__(self, sandbox):
        self.zoo = Zoo(sandbox)
        self.redis = Redis(sandbox).start()
        self.reporter = Reporter(
            sandbox, self.redis, VERVE_WINDOW_SECONDS=3600,
            VERVE_CALLBACKS_RETRY_DELAYS_S="1",
            VERVE_CALLBACKS_TIMEOUT_MS=int(TIMEOUT_S * 1000),
            VERVE_CALLBACKS_CONNECT_TIMEOUT_MS=int(TIMEOUT_S * 1000),
            VERVE_CALLBACKS_LEASE_S=4).start()
        pid = self.reporter.worker()
        peak_before_kb = memory_kb(pid, "VmHWM")
        names = list(ANIMALS)
        ids = put(self.redis, *(self.zoo.url(name) for name in names))
        self.ids = dict(zip(names, ids))
        # A job that is tried again is not in `due` for a moment.
        lost = sum(reason is not None for _, _, reason in ROWS)
        wait_until(lambda: set(due(self.redis)) == {self.ids["huge"]}
                   and len(dead(self.redis)) == lost,
                   "all but huge are settled", 60.0)
        self.dead = dead(self.redis)
        self.growth_kb = memory_kb(pid, "VmHWM") - peak_before_kb

    def lines(self, name):
        return [line for line in self.reporter.callbacks()
                if line["job"] == self.ids[name]]


@pytest.fixture(scope="module")
def visit():
    sandbox = Sandbox()
    yield Visit(sandbox)
    sandbox.close()


def test_every_animal_has_a_row():
    assert {row[0] for row in ROWS} == set(ANIMALS)


@pytest.mark.parametrize("name,attempts,reason", ROWS)
def test_the_result_of_each_animal(visit, name, attempts, reason):
    lines = visit.lines(name)
    assert [f"{line['status']} {line['error']}" for line in lines] == attempts
    assert visit.dead.get(visit.ids[name]) == reason


@pytest.mark.parametrize("name", ["hang", "drip"])
def test_the_deadline_is_for_the_whole_transfer(visit, name):
    for line in visit.lines(name):
        assert TIMEOUT_S - 0.05 <= int(line["duration_ms"]) / 1000 < \
            TIMEOUT_S + 1.5


@right_clock
@pytest.mark.parametrize("name,least,most", [
    ("500", 0.8, 3.5), ("garbage", 0.8, 3.5),
    ("seconds", RETRY_AFTER_S, RETRY_AFTER_S + 2.5),
    ("date", RETRY_AFTER_S - 1, RETRY_AFTER_S + 2.5),
])
def test_a_retry_comes_in_time(visit, name, least, most):
    first, second = visit.zoo.requests[name]
    assert least <= second - first < most


def test_retry_after_is_an_hour_at_most(visit):
    claim, attempts, score = due(visit.redis)[visit.ids["huge"]]
    assert (claim, attempts) == ("-", 1)
    assert 3500 < (score - visit.redis.now_ms()) / 1000 <= 3600


def test_redirects_are_not_followed(visit):
    assert len(visit.zoo.requests["ok"]) == 1


def test_a_body_without_end_is_cut(visit):
    """Bytes beyond 64 KiB were sent, but only into the sockets' buffers."""
    assert visit.zoo.flooded < 16 << 20
    # Sanitizers keep freed memory: several times as much, but no gigabyte.
    assert visit.growth_kb < (300 if SANITIZED else 20) << 10


@needs_mounts
def test_a_certificate_that_the_system_trusts_is_accepted(sandbox, redis):
    zoo = Zoo(sandbox)
    before = wrap({BUNDLE: zoo.good[0]})
    reporter = Reporter(sandbox, redis, before=before).start()
    good, bad = put(redis, zoo.url("good-tls"), zoo.url("bad-tls"))
    wait_until(lambda: set(due(redis)) == {bad}, "the good one is settled")
    wait_until(lambda: len(reporter.callbacks()) == 2, "both are logged")
    found = {line["job"]: (line["status"], line["error"])
             for line in reporter.callbacks()}
    assert found == {good: ("200", "-"), bad: ("-", "tls")}


@needs_mounts
def test_a_name_without_an_answer_delays_no_other(sandbox, redis, receiver):
    """A known name, an unknown name, and a name without an answer, which delays
    no other."""
    resolver = Resolver(sandbox, {"good.test": ["127.0.0.1"],
                                  "two.test": ["127.0.0.9", "127.0.0.1"],
                                  "hung.test": None})
    reporter = Reporter(
        sandbox, redis, before=wrap(resolver.mounts()),
        VERVE_WINDOW_SECONDS=3600,
        VERVE_CALLBACKS_RETRY_DELAYS_S="1", VERVE_CALLBACKS_TIMEOUT_MS=3000,
        VERVE_CALLBACKS_LEASE_S=6).start()
    hung, missing = put(redis, "http://hung.test/", "http://missing.test/")
    wait_until(lambda: "hung.test" in resolver.asked, "it is looked up")
    started = time.monotonic()
    put(redis, *(f"http://{name}:{receiver.port}/{n}" for n in range(100)
                 for name in ("good.test", "GOOD.test", "two.test")))
    receiver.wait_count(300)
    assert time.monotonic() - started < 2.5
    assert resolver.asked.count("good.test") <= 2  # A and AAAA
    wait_until(lambda: len(dead(redis)) == 2, "the others are dead", 20.0)
    assert dead(redis) == {hung: "resolve", missing: "resolve"}
    lines = [line for line in reporter.callbacks() if line["job"] == hung]
    assert [line["error"] for line in lines] == ["resolve"] * 2
    first, second = [int(line["duration_ms"]) for line in lines]
    assert 2950 <= first < 4500
    assert second < 1000  # the failure is remembered


@needs_mounts
def test_hung_names_hold_up_no_others(sandbox, redis, receiver):
    """More names than are looked up at the same time."""
    names = {f"hung{n}.test": None for n in range(12)}
    names["known.test"] = ["127.0.0.1"]
    resolver = Resolver(sandbox, names)
    Reporter(sandbox, redis, before=wrap(resolver.mounts()),
             VERVE_WINDOW_SECONDS=3600, VERVE_CALLBACKS_TIMEOUT_MS=3000,
             VERVE_CALLBACKS_LEASE_S=6).start()
    put(redis, *(f"http://{name}/" for name in names if "hung" in name))
    wait_until(lambda: len(set(resolver.asked)) == 12, "all are looked up")
    started = time.monotonic()
    put(redis, *(f"http://known.test:{receiver.port}/" for _ in range(50)))
    receiver.wait_count(50)
    assert time.monotonic() - started < 2.5
