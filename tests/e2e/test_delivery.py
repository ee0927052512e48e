"""The queue under stress: reporters that die or sleep, receivers that hang,
many destinations."""

import collections
import json
import os
import subprocess
import time
import urllib.request

import pytest
from harness.hung import Hung
from harness.queue import (DEAD, dead, due, is_settled, put, standing,
                           waiting)
from harness.receiver import Answer
from harness.redis import Redis
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.settings import PATIENT_MS, scaled
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, **QUICK_CALLBACKS}
LEASE_S = QUICK_CALLBACKS["VERVE_CALLBACKS_LEASE_S"]


def counts(redis):
    """The sum of what all reporters have counted."""
    total = collections.Counter()
    for published in standing(redis).values():
        total.update(published["counts"])
    return total


def ids_of(requests):
    return [request.headers["webhook-id"] for request in requests]


def test_a_kill_with_a_thousand_in_flight_loses_no_job(sandbox, redis,
                                                       receiver):
    """All jobs are delivered; only those in flight may be delivered twice. They
    are retried within the lease and a second."""
    number = scaled(2000)
    receiver.respond("/slow", Answer(delay_s=0.6))
    reporter = Reporter(sandbox, redis).start()
    ids = put(redis, *(receiver.url("/slow", n % 250 + 1)
                       for n in range(number)))
    receiver.wait_count(number // 2)
    reporter.kill()
    killed = time.time()
    receiver.respond("/slow", 200)
    # Connections are accepted in their order: this one is the last.
    urllib.request.urlopen(receiver.url("/last"), timeout=60.0).close()
    wait_until(lambda: not receiver.open, "all that was sent is received")
    started = len(receiver.at("/slow"))
    delivered = number - len(due(redis)) - len(waiting(redis))
    print(f"killed with {started - delivered} in flight")
    assert started - delivered >= number // 3
    # On a busy machine no attempt of this one may last longer than its lease.
    Reporter(sandbox, redis, "other", VERVE_CALLBACKS_TIMEOUT_MS=20000,
             VERVE_CALLBACKS_LEASE_S=60).start()
    ready = time.time()
    wait_until(lambda: is_settled(redis), "all are settled", 30.0, 0.1)
    received = receiver.at("/slow")
    assert set(ids_of(received)) == set(ids)
    assert len(received) - number <= started - delivered
    again = min(got.time for got in received[started:]
                if got.headers["webhook-id"] in ids_of(received[:started]))
    assert again < max(killed + LEASE_S, ready) + 1
    assert not dead(redis)


def test_only_an_attempt_that_began_counts_at_a_kill(sandbox, redis, receiver):
    """A job that merely waited loses none, at any number of kills."""
    receiver.respond("/hang", Answer(None))
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=1,
                        VERVE_CALLBACKS_TIMEOUT_MS=3000,
                        VERVE_CALLBACKS_LEASE_S=6,
                        VERVE_CALLBACKS_RETRY_DELAYS_S="60,60,60")
    (hung,) = put(redis, receiver.url("/hang"))
    waiting = put(redis, *(receiver.url("/after", n) for n in range(2, 30)))
    for kills in range(1, 4):
        reporter.start()
        receiver.wait_count(kills, "/hang", seconds=20.0)
        wait_until(lambda: "!" in due(redis)[hung][0], "it is marked")
        reporter.kill()
        found = due(redis)
        assert {found[job][1] for job in waiting if job in found} <= {0}
        assert found[hung][1] == kills - 1
    # They had their turn while the lease of the hung job ran out.
    assert len(receiver.at("/after")) == len(waiting)


def test_a_reporter_asleep_past_its_lease_changes_nothing(sandbox, redis,
                                                          receiver):
    """Another reporter delivers. Later the sleeper's acknowledgements change
    nothing, and are counted."""
    receiver.respond("/slow", Answer(delay_s=0.7))
    sleeper = Reporter(sandbox, redis, "sleeper").start()
    ids = put(redis, *[receiver.url("/slow")] * 40)
    receiver.wait_count(4, "/slow")
    sleeper.process.freeze()
    receiver.respond("/slow", 200)
    Reporter(sandbox, redis, "other").start()
    wait_until(lambda: set(ids_of(receiver.at("/slow"))) >= set(ids),
               "the other delivers all", 15.0)
    wait_until(lambda: is_settled(redis), "the other settles all")
    sleeper.process.thaw()
    wait_until(lambda: counts(redis)["stale"] >= 4, "it is published")
    assert "settled after their lease had run out" in sleeper.process.output()
    assert is_settled(redis)
    assert not dead(redis)
    assert set(ids_of(receiver.at("/slow"))) == set(ids)


def test_several_reporters_share_the_work(sandbox, redis, receiver):
    number = 3000  # fewer could be a single claim
    receiver.respond("/", Answer(delay_s=0.05))
    # Each holds few jobs, so that some are left for the last reporter.
    for name in ("one", "two", "three"):
        Reporter(sandbox, redis, name,
                 VERVE_CALLBACKS_PER_HOST_CONCURRENCY=16).start()
    ids = put(redis, *[receiver.url()] * number)
    receiver.wait_count(number, seconds=30)
    wait_until(lambda: is_settled(redis), "all are settled")
    assert sorted(ids_of(receiver.received)) == sorted(ids)
    wait_until(lambda: counts(redis)["delivered"] == number, "published")
    shares = [one["counts"]["delivered"] for one in standing(redis).values()]
    assert len(shares) == 3 and min(shares) > number / 20


def test_hung_destinations_hold_up_no_others(sandbox, redis, receiver):
    """Half of the jobs are for hung destinations, and are the first in the
    queue."""
    hung = [Hung(sandbox) for _ in range(5)]
    Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=64).start()
    put(redis, *[one.url() for one in hung] * 200,
        *[receiver.url()] * 1000)
    started = time.monotonic()
    receiver.wait_count(1000)
    assert time.monotonic() - started < 3.0


def test_many_slow_destinations_hold_up_no_others(sandbox, redis, receiver):
    """They have far more jobs than there is room for, and are the first in the
    queue."""
    receiver.respond("/slow", Answer(delay_s=0.9))
    Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=256).start()
    put(redis, *(receiver.url("/slow", host) for _ in range(100)
                 for host in range(1, 101)),
        *[receiver.url("/fast", 200)] * 100)
    started = time.monotonic()
    receiver.wait_count(1, "/fast", 30)
    assert time.monotonic() - started < 15.0


def test_the_breaker_opens_after_ten_failures(sandbox, redis):
    """After ten failures in a row nothing is sent, and no attempt is used."""
    hung = Hung(sandbox)
    Reporter(sandbox, redis, VERVE_CALLBACKS_TIMEOUT_MS=200).start()
    ids = put(redis, *[hung.url()] * 100)
    wait_until(lambda: len(hung.connections) >= 10, "ten attempts")

    def shown():
        return [one for published in standing(redis).values()
                for one in published["destinations"]
                if one["breaker"] == "open"]

    (destination,) = wait_until(shown, "it is published")
    assert destination["origin"] == hung.url().rstrip("/")
    assert 25000 < destination["blocked_ms"] <= 30000
    time.sleep(2.0)
    assert len(hung.connections) < 10 + 4
    delayed = due(redis)
    listed = waiting(redis)
    assert {*delayed, *(job["id"] for _, job in listed)} == set(ids)
    assert all(claim == "-" for claim, _, _ in delayed.values())
    assert len(listed) >= 80
    assert sum(attempts for _, attempts, _ in delayed.values()) + \
        sum(attempts for attempts, _ in listed) == len(hung.connections)


def test_retry_after_holds_the_whole_destination(sandbox, redis, receiver):
    receiver.respond("/busy", Answer(429, {"Retry-After": "3"}), 200)
    reporter = Reporter(sandbox, redis).start()
    put(redis, receiver.url("/busy"))
    wait_until(reporter.callbacks, "the first answer is there")
    put(redis, *[receiver.url("/other")] * 10)
    got = receiver.wait_count(12)
    assert all(later.time - got[0].time >= 2.9 for later in got[1:])
    assert not any(attempt["attempt"] == "3"
                   for attempt in reporter.callbacks())


def test_a_slow_destination_does_not_hoard(sandbox, redis, receiver):
    """It has far more jobs than it answers within a lease: none is claimed
    twice."""
    receiver.respond("/slow", Answer(delay_s=0.5))
    reporter = Reporter(sandbox, redis,
                        VERVE_CALLBACKS_PER_HOST_CONCURRENCY=4).start()
    ids = put(redis, *[receiver.url("/slow")] * 80)
    wait_until(lambda: is_settled(redis), "all are settled", 25.0)
    assert sorted(ids_of(receiver.received)) == sorted(ids)
    assert {line["attempt"] for line in reporter.callbacks()} == {"1"}


def test_the_dead_are_bounded(sandbox, redis, receiver):
    receiver.respond("/gone", 410)
    Reporter(sandbox, redis, VERVE_CALLBACKS_MAX_DEAD=10,
             VERVE_REDIS_TIMEOUT_MS=PATIENT_MS).start()
    put(redis, *[receiver.url("/gone")] * 25)
    wait_until(lambda: counts(redis)["dropped"] == 15, "it is published")
    assert redis("LLEN", DEAD) == 10
    entry = json.loads(redis("LINDEX", DEAD, 0))
    assert (entry["error"], entry["attempts"]) == ("status-410", 1)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_redis_that_evicts_is_refused(sandbox, policy):
    redis = Redis(sandbox, maxmemory_policy=policy).start()
    reporter = Reporter(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=PATIENT_MS)
    process = sandbox.start("refused", reporter.command, reporter.settings)
    assert process.wait() == 100
    assert "noeviction" in process.output()
    assert policy in process.output()


def test_a_lease_too_short_is_refused(sandbox, redis):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_TIMEOUT_MS=3000)
    process = sandbox.start("refused", reporter.command, reporter.settings)
    assert process.wait() == 100
    assert "lease_s" in process.output()


def test_a_log_that_cannot_be_written_stops_no_delivery(sandbox, redis,
                                                        receiver):
    """The folder of the callback log is away for a while."""
    reporter = Reporter(sandbox, redis)
    folder = sandbox.folder / "later"
    folder.mkdir()
    reporter.callback_log = folder / "callbacks.txt"
    reporter.settings["VERVE_CALLBACKS_LOG"] = reporter.callback_log
    reporter.start()
    folder.rename(sandbox.folder / "away")
    reporter.process.hup()
    put(redis, receiver.url())
    receiver.wait_count(1)
    reporter.process.wait_output(str(folder))
    folder.mkdir()
    put(redis, receiver.url())
    wait_until(reporter.callbacks, "the log is written")


def test_a_fifo_without_a_reader_holds_up_nobody(sandbox, redis, receiver):
    """As callback log and as log, at the start and afterwards."""
    attempts, log = sandbox.folder / "attempts", sandbox.folder / "log"
    os.mkfifo(attempts)
    os.mkfifo(log)
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_LOG=attempts,
                        VERVE_LOG_TARGET=log).start()
    put(redis, receiver.url())
    receiver.wait_count(1)
    reporter.process.wait_output(f"{attempts}: it is a FIFO without a reader")
    reader = os.open(attempts, os.O_RDONLY | os.O_NONBLOCK)
    put(redis, receiver.url())
    wait_until(lambda: b" status=200 " in read(reader), "it is read")
    os.close(reader)
    put(redis, receiver.url())
    receiver.wait_count(3)


def read(fd):
    """What is in a FIFO; b"": nothing yet."""
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""


def test_few_descriptors_cost_no_attempt(sandbox, redis, receiver):
    """With far too few descriptors all jobs are delivered at the first attempt,
    and the reporter goes on even if names can't be looked up."""
    receiver.respond("/slow", Answer(delay_s=0.1))
    reporter = Reporter(sandbox, redis,
                        before=("prlimit", "--nofile=100")).start()
    assert "the limit of open files allows 18" in reporter.process.output()
    put(redis, *(f"http://{n}.invalid/" for n in range(5)))
    put(redis, *(receiver.url("/slow", n % 250 + 1) for n in range(300)))
    receiver.wait_count(300, seconds=30)
    assert {(line["attempt"], line["status"])
            for line in reporter.callbacks()
            if "invalid" not in line["host"]} == {("1", "200")}
    wait_until(lambda: len(dead(redis)) == 5, "the others are dead", 30)
    assert reporter.process.running()


def test_no_descriptors_cost_no_attempt(sandbox, redis, receiver):
    """If no descriptor is left for a while, that is logged and costs no
    attempt."""
    reporter = Reporter(sandbox, redis).start()
    pid = str(reporter.worker())
    subprocess.run(["prlimit", "--pid", pid, "--nofile=4:"], check=True)
    (job,) = put(redis, receiver.url("/", 0))
    reporter.process.wait_output("Too many open files")
    wait_until(lambda: due(redis).get(job, " ")[0] == "-", "it is given back")
    assert due(redis)[job][1] == 0
    subprocess.run(["prlimit", "--pid", pid, "--nofile=1024:"], check=True)
    wait_until(lambda: is_settled(redis), "it is settled")
    *starved, last = [(line["attempt"], line["status"], line["error"])
                      for line in reporter.callbacks()]
    assert set(starved) == {("1", "-", "starved")}
    assert last == ("1", "200", "-")
