"""Callbacks: the requests that a receiver gets, whatever fails meanwhile."""

import os
import signal
import time

import pytest
from harness.any_redis import COUNTS, one_server
from harness.load import accept
from harness.queue import DEAD, DUE, LIST, is_settled, put, waiting
from harness.receiver import Answer
from harness.records import complete_lines
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.settings import PATIENT_MS
from harness.strategies import every_strategy
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, **QUICK_CALLBACKS}
REDIS = {"fsync": "always"}


def ask(responder, number, endpoint):
    answer = responder.ask(accept(number, endpoint))
    assert answer.body == b"ok", answer
    return answer.headers["verve-window"]


@every_strategy
def test_a_post_keeps_the_contract(redis, responder, reporter, receiver):
    window = ask(responder, 7, receiver.url("/hook?a=b"))
    (got,) = receiver.wait_count(1)
    assert (got.method, got.target) == ("POST", "/hook?a=b")
    assert got.body == b'{"unique_request_count": 1}'
    assert got.headers["content-type"] == "application/json"
    assert got.headers["verve-callback"] == "1"
    assert got.headers["verve-window"] == window
    assert len(got.headers["webhook-id"]) == 32
    assert abs(int(got.headers["webhook-timestamp"]) -
               redis.now_ms() / 1000) < 10
    assert got.headers["user-agent"].startswith("verve/")
    assert "expect" not in got.headers
    (line,) = wait_until(reporter.callbacks, "the attempt is logged")
    assert line["job"] == got.headers["webhook-id"]
    assert line["window"] == window
    assert line["host"] == f"127.0.0.1:{receiver.port}"
    assert (line["attempt"], line["status"], line["error"], line["count"]) == \
        ("1", "200", "-", "1")
    assert 0 <= int(line["duration_ms"]) < 2000
    wait_until(lambda: is_settled(redis), "the job is acknowledged")


@pytest.mark.parametrize("path,target", [
    ("/hook", "/hook?unique_requests=1"),
    ("", "/?unique_requests=1"),
    ("/hook?a=b", "/hook?a=b&unique_requests=1"),
    ("/hook?", "/hook?unique_requests=1"),
    ("/hook?a=%20&b=c%26d", "/hook?a=%20&b=c%26d&unique_requests=1"),
])
def test_a_get_has_the_count_in_its_query(sandbox, redis, responder, receiver,
                                          path, target):
    Reporter(sandbox, redis, VERVE_CALLBACKS_METHOD="GET").start()
    ask(responder, 7, receiver.url(path))
    (got,) = receiver.wait_count(1)
    assert (got.method, got.target, got.body) == ("GET", target, b"")


def test_the_json_field_is_configurable(sandbox, redis, responder, receiver):
    Reporter(sandbox, redis, VERVE_CALLBACKS_JSON_FIELD="n").start()
    ask(responder, 7, receiver.url())
    assert receiver.wait_count(1)[0].body == b'{"n": 1}'


@pytest.mark.parametrize("host,called", [
    ("%31%327.0.0.1", "127.0.0.1"), ("loc%61lhost", "localhost")])
def test_a_percent_encoded_host_is_called(responder, reporter, receiver, host,
                                          called):
    """libcurl decodes it: what is accepted can be called."""
    ask(responder, 7, f"http://{host}:{receiver.port}/x")
    (got,) = receiver.wait_count(1, seconds=30.0)
    assert got.headers["host"] == f"{called}:{receiver.port}"
    (line,) = wait_until(reporter.callbacks, "the attempt is logged")
    assert (line["host"], line["status"]) == (got.headers["host"], "200")


def test_a_queued_job_whose_host_is_none_is_dead(redis, reporter):
    """As an older version accepted it. No attempt is made."""
    put(redis, "http://a|b/", "http://a%7Cb/")
    wait_until(lambda: redis("LLEN", DEAD) == 2, "both are dead", 30.0)
    assert is_settled(redis)
    assert not reporter.callbacks()


@one_server(COUNTS)
@every_strategy
def test_in_a_quiet_window_the_first_are_told_1_2_3(responder, reporter,
                                                    receiver):
    for number in (10, 20, 10, 30):
        ask(responder, number, receiver.url(f"/{number}"))
        time.sleep(0.01)
    bodies = [got.body for got in receiver.wait_count(4)]
    expected = [b'{"unique_request_count": %d}' % n for n in (1, 2, 2, 3)]
    assert sorted(bodies) == sorted(expected)
    assert receiver.at("/30")[0].body == expected[3]


def test_an_idle_reporter_is_quick(responder, reporter, receiver):
    delays = []
    for number in range(20):
        started = time.time()
        ask(responder, number, receiver.url())
        delays.append(receiver.wait_count(number + 1)[-1].time - started)
        time.sleep(0.05)
    assert sorted(delays)[10] < 0.1


def test_a_failure_is_tried_again_with_the_same_bytes(redis, responder,
                                                      reporter, receiver):
    # Closed, as libcurl itself repeats a request if a kept connection breaks.
    receiver.respond("/hook", Answer(500, {"Connection": "close"}), Answer(0),
                     200)
    ask(responder, 7, receiver.url("/hook"))
    attempts = receiver.wait_count(3, "/hook")
    assert len({got.body for got in attempts}) == 1
    assert len({got.headers["webhook-id"] for got in attempts}) == 1
    for before, after in zip(attempts, attempts[1:]):
        assert 0.7 < after.time - before.time < 4.0
    wait_until(lambda: is_settled(redis), "the job is acknowledged")
    lines = reporter.callbacks()
    assert [line["status"] for line in lines] == ["500", "-", "200"]
    assert [line["attempt"] for line in lines] == ["1", "2", "3"]
    assert lines[1]["error"] != "-"


def test_a_job_that_is_given_up_is_kept(redis, responder, reporter, receiver):
    receiver.respond("/hook", 503)
    ask(responder, 7, receiver.url("/hook"))
    receiver.wait_count(4, "/hook")
    wait_until(lambda: redis("LLEN", DEAD) == 1, "it is dead")
    assert receiver.url("/hook") in redis("LINDEX", DEAD, 0)
    assert is_settled(redis)
    assert len(receiver.at("/hook")) == 4


@pytest.mark.parametrize("answer,error", [
    (Answer(None), "timeout"), (Answer(0), None),
])
def test_a_host_that_does_not_answer_delays_no_other(sandbox, redis, responder,
                                                     receiver, answer, error):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_TIMEOUT_MS=4000,
                        VERVE_CALLBACKS_LEASE_S=8).start()
    receiver.respond("/bad", answer)
    for number in range(5):
        ask(responder, number, receiver.url("/bad"))
    ask(responder, 7, receiver.url("/good", host=2))
    receiver.wait_count(1, "/good", seconds=3.0)
    lines = wait_until(lambda: [line for line in reporter.callbacks()
                                if line["status"] == "-"], "it is logged")
    assert lines[0]["error"] != "-"
    assert error is None or lines[0]["error"] == error


def test_a_refused_connection_is_tried_again_until_dead(redis, responder,
                                                        reporter, receiver):
    ask(responder, 7, "http://127.0.0.1:1/")
    wait_until(lambda: redis("LLEN", DEAD) == 1, "it is dead")
    assert {line["error"] for line in reporter.callbacks()} == {"connect"}
    assert len(reporter.callbacks()) == 4


def test_redirects_are_not_followed(redis, responder, reporter, receiver):
    receiver.respond("/from", Answer(302, {"Location": receiver.url("/to")}))
    ask(responder, 7, receiver.url("/from"))
    receiver.wait_count(2, "/from")
    wait_until(lambda: redis("LLEN", DEAD) == 1, "it is dead")
    assert not receiver.at("/to")


def test_a_killed_reporter_loses_no_job(redis, responder, reporter, receiver):
    receiver.respond("/slow", Answer(delay_s=0.3))
    for number in range(50):
        ask(responder, number, receiver.url("/slow"))
    receiver.wait_count(10, "/slow")
    reporter.kill()
    for number in range(50, 60):
        ask(responder, number, receiver.url("/slow"))
    reporter.start()
    wait_until(lambda: is_settled(redis), "all are settled", 30.0)
    jobs = {got.headers["webhook-id"] for got in receiver.at("/slow")}
    assert len(jobs) == 60


@one_server("three workers share the limit of calls")
def test_term_finishes_calls_and_returns_other_jobs(sandbox, redis, responder,
                                                    receiver):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=4,
                        VERVE_CALLBACKS_TIMEOUT_MS=4000,
                        VERVE_CALLBACKS_LEASE_S=60,
                        VERVE_REDIS_TIMEOUT_MS=PATIENT_MS).start()
    receiver.respond("/slow", Answer(delay_s=1.5))
    receiver.respond("/hang", Answer(None))
    ask(responder, 30, receiver.url("/first"))
    wait_until(lambda: is_settled(redis), "the destination is proven")
    for number in range(2):
        ask(responder, number, receiver.url("/slow"))
        ask(responder, number + 10, receiver.url("/hang"))
    receiver.wait_count(5)
    for number in range(20, 25):
        ask(responder, number, receiver.url("/after"))
    started = time.monotonic()
    assert reporter.term() == 0
    assert time.monotonic() - started < 6
    assert not receiver.at("/after")
    # The lease of a minute was given back.
    delayed = redis("ZRANGE", DUE, 0, -1)
    assert len(delayed) + len(waiting(redis)) == 7
    assert all(text.startswith("- ") for text in delayed)
    reporter.start()
    receiver.wait_count(5, "/after")
    receiver.wait_count(4, "/hang")


def test_a_stale_acknowledgement_does_nothing(sandbox, redis, responder,
                                              reporter, receiver):
    """A reporter that was paused for longer than its lease settles a job that
    another reporter has."""
    receiver.respond("/hook", Answer(delay_s=1.5), 200)
    ask(responder, 7, receiver.url("/hook"))
    receiver.wait_count(1)
    reporter.process.freeze()
    Reporter(sandbox, redis, name="other").start()
    receiver.wait_count(2)
    wait_until(lambda: is_settled(redis), "the other acknowledges")
    reporter.process.thaw()
    reporter.process.wait_output("lease")
    assert is_settled(redis)
    assert not redis("EXISTS", DEAD)


def test_unreadable_jobs_go_to_the_dead_list(redis, responder, reporter,
                                             receiver):
    junk = ["", "junk", "{}", '{"v":2}', '{"v":1,"id":"x"}', b"\xff\x00\xfe",
            "[" * 1000, '{"v":1,"id":"i","url":7,"window":1,"count":1}']
    redis("RPUSH", LIST, *junk)
    ask(responder, 7, receiver.url())
    receiver.wait_count(1)
    wait_until(lambda: redis("LLEN", DEAD) == len(junk),
               "all are buried")
    wait_until(lambda: is_settled(redis), "the other one is settled")


def test_the_log_is_opened_anew(responder, reporter, receiver):
    ask(responder, 7, receiver.url())
    wait_until(reporter.callbacks, "the first line")
    rotated = reporter.callback_log.with_name("rotated.txt")
    os.rename(reporter.callback_log, rotated)
    reporter.process.signal(signal.SIGHUP)
    wait_until(reporter.callback_log.exists, "a new file")
    ask(responder, 8, receiver.url())
    wait_until(reporter.callbacks, "the second line")
    assert len(complete_lines(rotated)) == 1


@one_server(COUNTS)
def test_a_log_that_was_moved_or_removed_is_left(responder, reporter,
                                                 receiver):
    """Without HUP, as with unique.log."""
    rotated = reporter.callback_log.with_name("rotated.txt")
    for number, leave in ((7, rotated.with_suffix("")), (8, None), (9, None)):
        ask(responder, number, receiver.url())
        (line,) = wait_until(reporter.callbacks, f"line {number}")
        assert line["count"] == str(number - 6)
        if leave:
            os.rename(reporter.callback_log, leave)
        else:
            reporter.callback_log.unlink()


def test_connections_are_used_again(responder, reporter, receiver):
    for number in range(20):
        ask(responder, number, receiver.url())
        receiver.wait_count(number + 1)
    assert receiver.connections < 5


def test_deliveries_are_settled_after_redis_was_away(redis, responder,
                                                     reporter, receiver):
    receiver.respond("/slow", Answer(delay_s=0.3))
    for number in range(10):
        ask(responder, number, receiver.url("/slow"))
    receiver.wait_count(10)
    redis.kill()
    time.sleep(0.5)
    redis.start()
    wait_until(lambda: is_settled(redis), "all are settled", 30.0)
    assert reporter.process.running()
