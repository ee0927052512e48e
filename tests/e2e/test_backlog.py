"""What one client's endpoints can do to those of others: a long queue, hosts that
hang, paths that fail."""

import time

from harness.fastcgi import Responder
from harness.hung import Hung
from harness.load import accept
from harness.queue import (LIST, PROVEN, QUEUE, STRANGERS, is_settled, list_of,
                           put)
from harness.receiver import Answer
from harness.reporter import Reporter
from harness.settings import scaled
from harness.wait import wait_until


def test_a_flood_for_one_that_hangs_delays_nobody(sandbox, redis, receiver):
    """Tens of thousands of jobs wait before the healthy destination's."""
    hung = Hung(sandbox)
    number = scaled(60000)
    put(redis, *[hung.url()] * number)
    responder = Responder(sandbox, redis).start()
    Reporter(sandbox, redis).start()
    wait_until(lambda: redis("LLEN", list_of(hung.url())) > number * 0.9,
               "they are in their own list", 60.0)
    started = time.monotonic()
    for n in range(20):
        responder.ask(accept(n, receiver.url("/hook")))
    receiver.wait_count(20, "/hook", seconds=10.0)
    assert time.monotonic() - started < 10.0
    wait_until(lambda: not redis("EXISTS", LIST), "all are sorted", 30.0)
    assert len(hung.connections) < 100


def test_a_long_queue_does_not_fill_redis(sandbox, redis):
    """Endpoints of 2 KB: by default callbacks take a quarter of maxmemory."""
    redis("CONFIG", "SET", "maxmemory", "16mb")
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    endpoint = "http://h/" + "a" * 2000
    refused = None
    for number in range(8000):
        answer = responder.ask(accept(number, endpoint))
        if answer.status != 200:
            refused = answer
            break
    assert refused.headers["verve-error"] == "callback-queue-full"
    assert 1000 < number < 2500
    assert responder.ask(accept(number + 1)).status == 200
    assert responder.ask(accept(number + 2, endpoint)).status == 503


def test_the_limit_of_memory_can_be_set(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600,
                          VERVE_CALLBACKS_MAX_QUEUE_MB=1).start()
    answers = [responder.ask(accept(number, f"http://h{number}/")).status
               for number in range(2000)]
    full = answers.index(503)
    assert 900 < full < 1500  # about 950 bytes for each destination
    assert set(answers[full:]) == {503}


def test_jobs_of_an_older_version_are_delivered(sandbox, redis, receiver):
    """An older responder adds to the old list, and an older reporter settles
    jobs without counting them."""
    Responder(sandbox, redis).start().ask(accept(1, receiver.url("/new")))
    put(redis, *[receiver.url("/old")] * 10)
    redis("HSET", QUEUE, "jobs", 500, "bytes", 50000)
    Reporter(sandbox, redis).start()
    receiver.wait_count(1, "/new")
    receiver.wait_count(10, "/old")
    wait_until(lambda: is_settled(redis), "all are settled")
    wait_until(lambda: redis("HMGET", QUEUE, "jobs", "bytes") == ["0", "0"],
               "the number is right again")


def test_hosts_that_never_answer_leave_half_of_the_slots(sandbox, redis,
                                                         receiver):
    """Hundreds of destinations hang; one that has answered is as fast as ever,
    also after a restart of the reporter."""
    responder = Responder(sandbox, redis).start()
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=40).start()
    responder.ask(accept(0, receiver.url("/first")))
    receiver.wait_count(1, "/first")
    wait_until(lambda: redis("ZCARD", PROVEN) == 1, "it is proven")
    reporter.kill()
    hung = Hung(sandbox)
    put(redis, *[hung.url(n) for n in range(1, 201)])
    reporter.start()
    wait_until(lambda: len(hung.connections) >= 20, "strangers are called")
    for n in range(1, 51):
        started = time.monotonic()
        responder.ask(accept(n, receiver.url("/again")))
        receiver.wait_count(n, "/again", seconds=10.0)
        assert time.monotonic() - started < 10.0
    assert redis("ZCARD", STRANGERS) > 0


def test_many_names_of_one_address_share_its_limit(sandbox, redis, receiver):
    """100 origins at one address: 64 attempts under way at once."""
    hung = [Hung(sandbox) for _ in range(100)]
    put(redis, *[one.url() for one in hung])
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_TIMEOUT_MS=15000,
                        VERVE_CALLBACKS_LEASE_S=40).start()
    wait_until(lambda: sum(len(one.connections) for one in hung) >= 64,
               "its limit is reached")
    put(redis, receiver.url("/other", 7))
    receiver.wait_count(1, "/other", seconds=10.0)
    assert sum(len(one.connections) for one in hung) == 64
    reporter.kill()


def test_retry_after_of_one_path_holds_no_other(sandbox, redis, receiver):
    """An hour for one customer's path on a shared host."""
    responder = Responder(sandbox, redis).start()
    Reporter(sandbox, redis).start()
    receiver.respond("/busy", Answer(503, {"Retry-After": "3600"}))
    responder.ask(accept(0, receiver.url("/first")))
    receiver.wait_count(1, "/first")
    responder.ask(accept(1, receiver.url("/busy")))
    receiver.wait_count(1, "/busy")
    for n in range(2, 12):
        responder.ask(accept(n, receiver.url("/busy")))
        responder.ask(accept(n, receiver.url("/good")))
    receiver.wait_count(10, "/good", seconds=20.0)
    assert len(receiver.at("/busy")) < 4


def test_one_path_that_fails_opens_no_breaker_for_others(sandbox, redis,
                                                         receiver):
    """Its probes are its own."""
    responder = Responder(sandbox, redis).start()
    Reporter(sandbox, redis).start()
    receiver.respond("/bad", 500)
    responder.ask(accept(0, receiver.url("/first")))
    receiver.wait_count(1, "/first")
    put(redis, *[receiver.url("/bad")] * 60)
    receiver.wait_count(10, "/bad")
    for n in range(1, 21):
        responder.ask(accept(n, receiver.url("/good")))
    receiver.wait_count(20, "/good", seconds=20.0)
    assert len(receiver.at("/bad")) < 30
