"""What the logs say of the end of callbacks: next= in the callback log, and in
the program's own log circuit breakers, callbacks that are given up or dropped,
and a full queue."""

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import DEAD, DUE, QUEUE, dead, job, list_of, put
from harness.receiver import Answer
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, **QUICK_CALLBACKS}
SLACK_S = 20.0


def ends(reporter):
    return [(line["status"], line["error"], line["next"])
            for line in reporter.callbacks()]


def wait_ends(reporter, count):
    wait_until(lambda: len(reporter.callbacks()) >= count, "all attempts",
               SLACK_S)
    return ends(reporter)


def level_of(process, words):
    """The level of the line with these words."""
    (line,) = process.logged_with(words)
    return line["level"]


@pytest.mark.parametrize("answers,expected", [
    ((200,), [("200", "-", "done")]),
    ((503, 204), [("503", "status-503", "retry"), ("204", "-", "done")]),
    ((410,), [("410", "status-410", "dead")]),
    ((404,), [("404", "status-404", "retry"), ("404", "status-404", "dead")]),
    ((0, 200), [("-", "reset", "retry"), ("200", "-", "done")])])
def test_each_line_tells_what_follows(redis, reporter, receiver, answers,
                                      expected):
    receiver.respond("/hook", *answers)
    (job,) = put(redis, receiver.url("/hook"))
    assert wait_ends(reporter, len(expected)) == expected
    if expected[-1][2] == "dead":
        # The same word as in the job, and thus in vervectl.
        wait_until(lambda: redis("LLEN", DEAD), "it is dead")
        assert dead(redis) == {job: expected[-1][1]}


def test_an_abandoned_callback_is_logged(redis, reporter):
    """A job that has ended too many reporters."""
    redis("ZADD", DUE, 1, "- 100 " + job("http://a.example/x"))
    assert wait_ends(reporter, 1) == [("-", "abandoned", "dead")]
    assert reporter.callbacks()[0]["host"] == "a.example:80"
    reporter.process.wait_output(
        'msg="callbacks given up" destination=http://a.example:80 count=1 '
        "error=abandoned")


def test_an_attempt_that_is_broken_off_is_retried(redis, reporter, receiver):
    receiver.respond("/hook", Answer(None))
    put(redis, receiver.url("/hook"))
    receiver.wait_count(1)
    # At the end of its time limit, which is that of a drain.
    assert reporter.term(SLACK_S) == 0
    ((status, error, following),) = ends(reporter)
    assert (status, following) == ("-", "retry")
    assert error in ("shutdown", "timeout")


def test_a_circuit_breaker_is_logged(sandbox, redis, receiver):
    """At its opening, with the last error; and at its end, which needs a probe
    after 30 s."""
    reporter = Reporter(sandbox, redis).start()
    receiver.respond("/hook", *[500] * 10, 200)
    put(redis, *[receiver.url("/hook")] * 30)
    origin = f"http://127.0.0.1:{receiver.port}"
    reporter.process.wait_output("the circuit breaker opens", SLACK_S)
    (opens,) = reporter.process.logged_with("the circuit breaker opens")
    assert opens["level"] == "warn"
    assert opens["destination"] == origin
    assert (opens["open_s"], opens["error"]) == ("30", "status-500")
    assert int(opens["waiting"]) >= 0
    reporter.process.wait_output("the circuit breaker closes", 60.0)
    _, closes = reporter.process.logged_with("the circuit breaker")
    assert closes["level"] == "info"
    assert closes["msg"] == "the circuit breaker closes"
    assert closes["destination"] == origin


def test_callbacks_that_are_given_up_are_logged_by_host(redis, reporter,
                                                        receiver):
    receiver.respond("/gone", 410)
    put(redis, receiver.url("/gone"), receiver.url("/gone", host=2))
    reporter.process.wait_output("given up", SLACK_S)
    line = reporter.process.logged_with("given up")[0]
    assert line["level"] == "warn"
    assert line["destination"] in [f"http://127.0.0.{host}:{receiver.port}"
                                   for host in (1, 2)]
    assert int(line["count"]) >= 1 and line["error"] == "status-410"


def test_dropped_dead_callbacks_are_an_error_of_their_own(sandbox, redis,
                                                          receiver):
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_MAX_DEAD=2).start()
    receiver.respond("/gone", 410)
    put(redis, *[receiver.url("/gone")] * 5)
    reporter.process.wait_output("dropped for ever", SLACK_S)
    assert level_of(reporter.process, "dropped for ever") == "error"
    assert " max_dead=2\n" in reporter.process.output()
    assert "unreadable" not in reporter.process.output()


def test_a_full_queue_is_logged_once(sandbox, redis):
    responder = Responder(sandbox, redis,
                          VERVE_CALLBACKS_MAX_QUEUE=2).start()
    statuses = [responder.ask(accept(number, "http://a.example/")).status
                for number in range(6)]
    assert statuses == [200, 200, 503, 503, 503, 503]
    (process,) = responder.processes
    process.wait_output("the callback queue is full")
    assert level_of(process, "the callback queue is full") == "warn"
    assert "callbacks.max_queue = 2" in process.output()
    assert responder.ask(accept(7)).status == 200
    redis("DEL", list_of("http://a.example/"), QUEUE)
    assert responder.ask(accept(8, "http://a.example/")).status == 200
    process.wait_output("the callback queue has room again")
    full, room = process.logged_with("the callback queue")
    assert full["code"] == "callback-queue-full"
    assert room["refused"] == "4"
