"""Redis is gone, slow or restarted: the answers to clients, how soon they come,
and how soon requests are ok again."""

import time

import pytest
from harness.answers import assert_unavailable
from harness.drip import DripProxy
from harness.fastcgi import Responder
from harness.http import fetch
from harness.load import Load, accept
from harness.log_lines import logged
from harness.redis import Redis
from harness.servers import every_server
from harness.strategies import every_strategy
from harness.wait import wait_until

REDIS_TIMEOUT_MS = 250  # the default
TIMEOUT_S = REDIS_TIMEOUT_MS / 1000
LIMIT_S = 2 * TIMEOUT_S + 0.1
NOISE_S = 0.4  # what the scheduler of a shared machine may add
LOAD_NOISE_S = 0.9  # ... while a load generator uses the processors, too
BACK_NOISE_S = 1.2  # ... to a handshake, which may have to be repeated
SETTINGS = {"VERVE_REDIS_TIMEOUT_MS": REDIS_TIMEOUT_MS}
URL = "/api/verve/accept?id=7"


def timed(web, target=URL):
    started = time.monotonic()
    return fetch(web.port, target), time.monotonic() - started


def assert_back_within_a_second(web):
    started = time.monotonic()
    wait_until(lambda: fetch(web.port, URL).body == b"ok", "ok again", 5.0)
    assert time.monotonic() - started < 1.0 + BACK_NOISE_S


def all_responders(web, condition):
    """The condition holds for 20 answers: enough to reach each responder."""
    return all(condition(fetch(web.port, URL)) for _ in range(20))


@every_server
@every_strategy
def test_unavailable_while_redis_is_gone_and_ok_once_it_is_back(redis, web):
    wait_until(lambda: fetch(web.port, URL).body == b"ok", "it is there")
    redis.kill()
    for _ in range(20):
        answer, took = timed(web)
        assert_unavailable(answer)
        assert took < LIMIT_S + NOISE_S
    assert_unavailable(fetch(web.port, "/readyz"))
    assert fetch(web.port, "/healthz").status == 200
    assert fetch(web.port, URL + "&id=8").status == 400
    redis.start()
    assert_back_within_a_second(web)
    wait_until(lambda: all_responders(web, lambda a: a.status == 200),
               "every responder is back")


@every_server
def test_a_redis_known_to_be_away_is_answered_at_once(redis, web):
    redis.freeze()
    wait_until(lambda: all_responders(web, lambda a: a.status == 503),
               "every responder knows")
    took = sorted(timed(web)[1] for _ in range(50))
    assert took[25] < 0.05  # the median: nobody waits for a time limit
    redis.thaw()
    assert_back_within_a_second(web)


@every_server
def test_a_redis_that_is_too_slow_counts_as_away(redis, web):
    wait_until(lambda: fetch(web.port, URL).body == b"ok", "it is there")
    redis.freeze()
    answer, took = timed(web, accept(8))  # one that no responder knows
    assert_unavailable(answer)
    assert TIMEOUT_S * 0.8 < took < LIMIT_S + NOISE_S
    redis.thaw()
    assert_back_within_a_second(web)


@every_server
def test_restarted_while_idle_costs_no_request(redis, web):
    """A responder notices the closed connection, and loads scripts again."""
    wait_until(lambda: len(connected_ms(web)) >= 2, "both are there")
    before = len(connected_ms(web))
    redis.stop()
    redis.start()
    wait_until(lambda: len(connected_ms(web)) >= before + 2, "both are back")
    assert all_responders(web, lambda a: a.status == 200)


@every_server
def test_away_at_the_start_is_no_error(sandbox, make_web):
    redis = Redis(sandbox)
    web = make_web(sandbox, redis).start()
    assert_unavailable(fetch(web.port, URL))
    redis.start()
    assert_back_within_a_second(web)


def freeze(redis):
    redis.freeze()
    time.sleep(1.5)
    redis.thaw()


def restart(redis):
    redis.kill()
    time.sleep(1.0)
    redis.start()


def slow_down(redis):
    """Each answer takes a little less than the limit."""
    for _ in range(6):
        redis.freeze()
        time.sleep(TIMEOUT_S * 0.8)
        redis.thaw()
        time.sleep(0.02)


@every_server
@pytest.mark.parametrize("trouble", [freeze, restart, slow_down])
def test_no_answer_is_late_under_load(sandbox, redis, web, trouble):
    """With nginx on connections that are kept. There are more connections than
    requests in a while of trouble, as time in the client's queue counts."""
    load = Load(sandbox, [web.host], map(accept, range(2000)), 128, rate=400)
    time.sleep(1.0)
    trouble(redis)
    load.finish()
    assert {row.word for row in load.rows if row.status == 503} <= {"failed"}
    assert {row.status for row in load.rows} <= {200, 503}
    assert load.rows[-1].ok and load.rows[0].ok
    assert max(row.latency_s for row in load.rows) < LIMIT_S + LOAD_NOISE_S


def test_no_stampede(sandbox, redis, make_web):
    """Eight responders do not connect again all at once."""
    web = make_web(sandbox, redis, procs=8).start()
    wait_until(lambda: len(connected_ms(web)) == 8, "all eight are there")
    redis.kill()
    time.sleep(1.0)
    redis.start()
    wait_until(lambda: len(connected_ms(web)) == 16, "all eight are back")
    moments = sorted(connected_ms(web)[8:])
    assert moments[-1] - moments[0] > 50


def connected_ms(web):
    """When responders logged that they were connected, ms of the minute."""
    return [int(float(line["ts"][17:23]) * 1000) for line
            in logged(web.output()) if "redis: connected" in line["msg"]]


def test_a_dripping_redis_cannot_stretch_the_limit(sandbox, redis):
    """The time limit is for the whole answer, not for a byte."""
    proxy = DripProxy(sandbox, redis.path)
    responder = Responder(sandbox, proxy).start()
    wait_until(lambda: responder.ask(URL).body == b"ok", "it is there")
    proxy.drip_s = 0.1
    started = time.monotonic()
    assert responder.ask(accept(8)).status == 503
    assert time.monotonic() - started < LIMIT_S + NOISE_S
