"""The workers that deliver, with several shards: each serves the callbacks of
one shard. All shards are in one Redis, or in a cluster."""

import os
import signal
import time

from harness.metrics import Scrape
from harness.queue import DEAD, PROVEN, dead, is_settled, put, standing
from harness.receiver import Answer
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.shards import shards_of
from harness.wait import wait_until

SHARDS = 3
SETTINGS = {"VERVE_REDIS_SHARDS": SHARDS, "VERVE_WINDOW_SECONDS": 3600}
# No attempt ends before its answer on a slow machine, and would be repeated.
PATIENT_CALLBACKS = {**QUICK_CALLBACKS, "VERVE_CALLBACKS_TIMEOUT_MS": 8000,
                     "VERVE_CALLBACKS_CONNECT_TIMEOUT_MS": 8000,
                     "VERVE_CALLBACKS_LEASE_S": 18}


def names(of_each):
    return {f"callbacks-{shard}.{number}" for shard in range(SHARDS)
            for number in range(1, of_each + 1)}


def settled(shards):
    return all(is_settled(shard) for shard in shards)


def present(redis):
    return set(redis("ZRANGE", "verve:{0}:presence", 0, -1))


def test_callbacks_of_all_shards(sandbox, redis, receiver):
    """Two reporters, one with more workers than the other. One of its workers
    is killed. Each callback is delivered, at least once, and those that were
    not under way at that moment only once."""
    shards = shards_of(redis, SHARDS)
    first = Reporter(sandbox, redis, **PATIENT_CALLBACKS).start()
    second = Reporter(sandbox, redis, name="second", VERVE_CALLBACKS_WORKERS=4,
                      **PATIENT_CALLBACKS).start()
    assert set(first.workers()) == {"reports", *names(1)}
    assert set(second.workers()) == {"reports", *names(2)}
    receiver.respond("/slow", Answer(delay_s=0.05))
    ids = [one for shard in shards for one in
           put(shard, *(receiver.url("/slow", n % 50 + 1)
                        for n in range(300)))]
    receiver.wait_count(50)
    killed = second.worker("callbacks-2.1")
    os.kill(killed, signal.SIGKILL)
    second.wait_restarted("callbacks-2.1", killed)
    wait_until(lambda: settled(shards), "all are settled", 90.0)
    got = [request.headers["webhook-id"] for request in receiver.received]
    assert set(got) == set(ids)
    assert len(got) - len(ids) <= 128  # under way in the worker
    assert not any(dead(shard) for shard in shards)

    # Each shard has what its workers say; all presence is in shard 0.
    def told():
        return all(len(standing(shard)) >= 3 for shard in shards)
    wait_until(told, "all workers are published")
    host = os.uname().nodename
    assert {f"verve-reporter/{host}/{name}" for name in names(2)} <= \
        present(redis)
    assert not any(redis("EXISTS", f"verve:{shard.tag}:presence")
                   for shard in shards[1:])
    assert first.term() == 0
    assert second.term() == 0
    assert not present(redis)


def test_a_worker_for_each_shard_but_no_more(sandbox, redis):
    """The number of workers is rounded up; none stay none."""
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=3).start()
    assert set(reporter.workers()) == {"reports", *names(1)}
    none = Reporter(sandbox, redis, "none", VERVE_CALLBACKS_WORKERS=0).start()
    assert set(none.workers()) == {"reports"}


def test_limits_are_for_all_workers_together(sandbox, redis, receiver):
    """callbacks.concurrency, per_host_concurrency and max_dead."""
    shards = shards_of(redis, SHARDS)
    for shard in shards:
        for host in 1, 2:
            shard("ZADD", PROVEN, int(time.time() * 1000),
                  receiver.url("/", host).rstrip("/"))
    receiver.respond("/", Answer(None))
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=10,
                        VERVE_CALLBACKS_PER_HOST_CONCURRENCY=6,
                        VERVE_CALLBACKS_MAX_DEAD=4,
                        VERVE_CALLBACKS_TIMEOUT_MS=40000,
                        VERVE_CALLBACKS_LEASE_S=90).start()
    for shard in shards:
        put(shard, *(receiver.url("/", n % 2 + 1) for n in range(200)))
    receiver.wait_count(10)
    # 4 + 3 + 3 of two hosts, of which each worker has 2.
    wait_until(lambda: len(receiver.received) >= 10, "attempts are made")
    time.sleep(1.0)
    assert len(receiver.received) == 10
    reporter.kill()
    for shard in shards:
        shard("DEL", "verve:{0}:due", "verve:{0}:callbacks")
        for key in shard("KEYS", "verve:{0}:callbacks:*"):
            shard("DEL", key)
    receiver.respond("/gone", 410)
    reporter.start()
    for shard in shards:
        put(shard, *(receiver.url("/gone", n % 2 + 1) for n in range(9)))
    wait_until(lambda: settled(shards), "all are settled", 30.0)
    assert [len(dead(shard)) for shard in shards] == [2, 2, 2]


def test_metrics_of_all_shards(sandbox, redis):
    """The numbers of a queue are sums, a clock is that of one shard."""
    shards = shards_of(redis, SHARDS)
    scrape = Scrape()
    Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=0, **scrape.settings).start()
    wait_until(scrape.answers, "metrics are served")
    for n, shard in enumerate(shards):
        put(shard, *["http://a.example/"] * (n + 1))
        shard("RPUSH", DEAD, "{}")

    def found():
        numbers = scrape()
        return all(f'verve_redis_clock_skew_seconds{{shard="{shard}"}}' in
                   numbers for shard in range(SHARDS)) and \
            numbers.get('verve_callback_queue_jobs{state="waiting"}') == 6 and \
            numbers.get('verve_callback_queue_jobs{state="dead"}') == 3 and \
            numbers
    numbers = wait_until(found, "the numbers of all shards", 30.0)
    assert f'verve_redis_clock_skew_seconds{{shard="{SHARDS}"}}' not in numbers


def test_a_blocked_host_is_read_from_the_shard_of_the_worker(
        sandbox, redis, receiver):
    shards = shards_of(redis, SHARDS)
    blocked = "127.0.0.1"
    for shard in shards[1:]:
        shard("HSET", "verve:{0}:blocked", blocked, "drop")
    Reporter(sandbox, redis).start()
    for shard in shards:
        put(shard, receiver.url(f"/{shard.tag}"))
    wait_until(lambda: settled(shards), "all are settled", 30.0)
    assert [request.path for request in receiver.received] == ["/{0}"]
