"""The id cache: known ids are answered without Redis. The cache ends with the
window, the connection or the data, or if Redis is silent."""

import time

from harness.counts import count
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import list_of
from harness.records import epoch
from harness.strategies import every_strategy
from harness.wait import wait_for_window_start, wait_until
from test_metrics import metrics

DAY_S = 86400  # hardly any test sees a window end
NOISE_S = 2.0  # what a shared machine may add
# Within a test the cache stays valid, unless the test sets a shorter limit.
SETTINGS = {"VERVE_WINDOW_SECONDS": DAY_S, "VERVE_REDIS_TIMEOUT_MS": 60000}
REDIS = {"appendonly": "no"}


def ask(responder, number, endpoint=None):
    """Sends an id, which must be ok; returns its window."""
    answer = responder.ask(accept(number, endpoint))
    assert answer.body == b"ok", answer
    return epoch(answer.headers["verve-window"])


def script_runs(responder):
    """How often the accept script ran."""
    return metrics(responder.path)[
        'verve_redis_duration_seconds_count{script="accept"}']


@every_strategy
def test_a_known_id_needs_no_redis(redis, responder):
    window = ask(responder, 7)
    runs = script_runs(responder)
    assert [ask(responder, 7) for _ in range(100)] == [window] * 100
    assert script_runs(responder) == runs
    assert count(redis, window) == 1


def test_an_endpoint_always_needs_redis(redis, responder):
    for _ in range(3):
        ask(responder, 7, "http://h/")
    assert redis("LLEN", list_of("http://h/")) == 3
    runs = script_runs(responder)
    ask(responder, 7)
    assert script_runs(responder) == runs


def test_the_cache_can_be_turned_off(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_DEDUP_LOCAL_CACHE_IDS=0).start()
    ask(responder, 7)
    runs = script_runs(responder)
    for _ in range(10):
        ask(responder, 7)
    assert script_runs(responder) == runs + 10


def test_a_full_cache_takes_no_more_ids(sandbox, redis):
    responder = Responder(sandbox, redis,
                          VERVE_DEDUP_LOCAL_CACHE_IDS=10).start()
    for _ in range(3):
        window = [ask(responder, number) for number in range(50)][-1]
    assert count(redis, window) == 50
    runs = script_runs(responder)
    ask(responder, 1)
    assert script_runs(responder) == runs
    ask(responder, 49)
    assert script_runs(responder) == runs + 1


def test_a_refused_request_is_not_known(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_CALLBACKS_MAX_QUEUE=1).start()
    ask(responder, 1, "http://h/")
    assert responder.ask(accept(7, "http://h/")).status == 503
    assert count(redis, ask(responder, 7)) == 2


@every_strategy
def test_a_known_id_counts_again_in_the_next_window(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=1).start()
    wait_for_window_start(redis, 1)
    windows = set()
    end = time.monotonic() + 3.0
    while time.monotonic() < end:
        asked = redis.now_ms() / 1000
        window = ask(responder, 7)
        assert asked < window + 1  # the window is not over
        windows.add(window)
    assert len(windows) >= 3
    assert [count(redis, window) for window in windows] == [1] * len(windows)


@every_strategy
def test_a_known_id_stays_in_a_window_that_was_sealed_early(redis, responder):
    """A known id is in the sealed window; a new id begins the next window."""
    window = ask(responder, 7)
    redis("SET", "verve:{0}:sealed", window)
    assert ask(responder, 7) == window
    assert ask(responder, 8) == window + DAY_S
    assert ask(responder, 7) == window + DAY_S
    assert count(redis, window) == 1
    assert count(redis, window + DAY_S) == 2


@every_strategy
def test_lost_data_is_noticed_by_the_next_script(redis, responder):
    ask(responder, 7)
    redis("FLUSHALL")
    ask(responder, 7)
    redis("FLUSHALL")  # within the second, as a rule
    ask(responder, 8)
    assert count(redis, ask(responder, 7)) == 2


def test_lost_data_is_noticed_within_the_time_limit(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=2000).start()
    ask(responder, 7)
    redis("FLUSHALL")
    time.sleep(2.1)
    assert count(redis, ask(responder, 7)) == 1


@every_strategy
def test_redis_killed_is_noticed_at_once(redis, responder):
    assert count(redis, ask(responder, 7)) == 1
    redis.kill()
    for _ in range(3):
        answer = responder.ask(accept(7))
        assert (answer.status, answer.body) == (503, b"failed")
    redis.start()  # empty
    wait_until(lambda: responder.ask(accept(7)).status == 200, "ok again")
    assert count(redis, ask(responder, 7)) == 1


def test_a_new_connection_forgets_all_ids(redis, responder):
    """Between two requests, and with time for a new connection."""
    ask(responder, 7)
    redis.wipe()
    assert count(redis, ask(responder, 7)) == 1
    redis.wipe()
    time.sleep(0.2)
    assert count(redis, ask(responder, 7)) == 1


def test_redis_frozen_is_noticed_within_the_limits(sandbox, redis):
    timeout_s = 0.25
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=250).start()
    wait_until(lambda: responder.ask(accept(7)).status == 200, "it is there")
    redis.freeze()
    frozen = asked = time.monotonic()
    while responder.ask(accept(7)).status == 200:
        assert asked - frozen < timeout_s
        asked = time.monotonic()
    assert time.monotonic() - frozen < 2 * timeout_s + 0.1 + NOISE_S
    started = time.monotonic()
    assert all(responder.ask(accept(7)).status == 503 for _ in range(20))
    assert time.monotonic() - started < timeout_s + NOISE_S
    redis.thaw()
    wait_until(lambda: responder.ask(accept(7)).status == 200, "ok again")


def test_a_known_id_is_ok_without_memory(redis, responder):
    """A known id writes nothing."""
    ask(responder, 7)
    redis("CONFIG", "SET", "maxmemory", "1")
    assert responder.ask(accept(8)).status == 503
    ask(responder, 7)
