"""redis.wait_replicas: an ok waits until that many replicas have the batch."""

import time

import pytest
from harness.counts import count
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import list_of
from harness.records import epoch
from harness.redis import Redis
from harness.sandbox import free_port
from harness.settings import PATIENT_MS
from harness.strategies import every_strategy
from harness.wait import wait_until

DAY_S = 86400
REDIS_TIMEOUT_MS = 250  # the default
TIMEOUT_S = REDIS_TIMEOUT_MS / 1000
LIMIT_S = 2 * TIMEOUT_S + 0.1
SETTINGS = {"VERVE_WINDOW_SECONDS": DAY_S, "VERVE_REDIS_WAIT_REPLICAS": 1,
            "VERVE_REDIS_TIMEOUT_MS": REDIS_TIMEOUT_MS}
NOISE_S = 2.0  # what a shared machine may add


@pytest.fixture
def redis(sandbox):
    return Redis(sandbox, port=free_port(), bind="127.0.0.1",
                 repl_diskless_sync_delay=0).start()


def make_replica(sandbox, redis):
    # Without a file: TERM could not interrupt its first write.
    replica = Redis(sandbox, name="replica", appendonly="no",
                    replicaof=f"127.0.0.1 {redis.config['port']}").start()
    wait_until(lambda: "link_status:up" in replica("INFO", "replication"),
               "the replica has all that there was")
    redis("SET", "hello", "replica")
    assert redis("WAIT", 1, 20000) == 1  # replication works
    return replica


@pytest.fixture
def replica(sandbox, redis):
    return make_replica(sandbox, redis)


@pytest.fixture
def patient(sandbox, redis):
    """A responder that waits even if Redis or a replica is slow."""
    return Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=PATIENT_MS).start()


@every_strategy
def test_an_ok_is_on_the_replica(replica, patient):
    for number in range(50):
        answer = patient.ask(accept(number, "http://h/"))
        assert answer.body == b"ok"
        window = epoch(answer.headers["verve-window"])
        assert count(replica, window) == number + 1
        assert replica("LLEN", list_of("http://h/")) == number + 1


def test_without_a_replica_nothing_is_ok(redis, responder):
    started = time.monotonic()
    answer = responder.ask(accept(7))
    assert (answer.status, answer.body) == (503, b"failed")
    assert time.monotonic() - started < LIMIT_S + NOISE_S


def test_a_missing_replica_is_logged(sandbox, redis, patient):
    assert patient.ask(accept(7)).status == 503
    assert ("too few replicas have it: 0 of redis.wait_replicas = 1"
            in patient.process.output())
    assert patient.ask("/readyz").status == 503
    assert patient.ask("/healthz").status == 200
    assert "counted again" not in patient.process.output()
    make_replica(sandbox, redis)
    for number in range(2):
        assert patient.ask(accept(number)).status == 200
    output = patient.process.output()
    assert output.count("requests are refused") == 1
    assert output.count("requests are counted again") == 1


def test_ready_with_its_replica(replica, responder):
    wait_until(lambda: responder.ask("/readyz").status == 200, "ready")
    replica.freeze()  # with all data
    assert responder.ask("/readyz").status == 503
    assert responder.ask(accept(7)).status == 503
    replica.thaw()
    wait_until(lambda: responder.ask("/readyz").status == 200, "ready again")


@every_strategy
def test_a_retry_counts_once(redis, replica, responder):
    wait_until(lambda: responder.ask(accept(1)).status == 200, "ready")
    window = epoch(responder.ask(accept(1)).headers["verve-window"])
    replica.freeze()
    for _ in range(3):
        started = time.monotonic()
        assert responder.ask(accept(7)).status == 503
        assert time.monotonic() - started < LIMIT_S + NOISE_S
    replica.thaw()
    wait_until(lambda: responder.ask(accept(7)).status == 200, "ok again")
    assert count(redis, window) == count(replica, window) == 2
