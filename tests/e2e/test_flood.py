"""An operation that fails and is repeated many times a second makes few lines
in the log: at its start, each minute, and at its end."""

import re
import time

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import DUE, job, put
from harness.receiver import Answer
from harness.refusing import REFUSALS, NoReplicas
from harness.reporter import Reporter
from harness.settings import PATIENT_MS
from harness.wait import wait_until

LASTS_S = 4.0
# Windows end while Redis refuses, and closing them fails, too.
SETTINGS_OF_REPORTERS = {"VERVE_WINDOW_SECONDS": 1,
                         "VERVE_REDIS_TIMEOUT_MS": PATIENT_MS}
# Operations of the reporter that may fail: looking for, claiming, settling and
# counting callbacks, closing windows, a sink's lease, cursor and records.
OPERATIONS = 8
# Connections within a minute that are logged in full.
BEGINNINGS = 5


def lines_of(process, word):
    """The messages with the word."""
    return [line["msg"] for line in process.logged_with(word)]


def troubled(line):
    """The operation that failed, if the line is the first of a trouble."""
    found = re.search(r"^(.*?): [^ ]+ \(.*; trying again$", line)
    return found and found[1]


def all_have_ended(process):
    """Whether each first line of a trouble has a last line after it."""
    open_troubles = []
    for line in lines_of(process, ""):
        ended = re.search(r"^(.*): works again, after \d+ s$", line)
        if troubled(line):
            open_troubles.append(troubled(line))
        elif ended:
            open_troubles.remove(ended[1])
    return not open_troubles


def refuse(reporter, refusal):
    """Lets Redis refuse for a while. Each trouble must have a first and a last
    line. Returns the operations that had a trouble."""
    refusal.enter()
    time.sleep(LASTS_S)
    refusal.leave()
    wait_until(lambda: all_have_ended(reporter.process), "all is well")
    during = lines_of(reporter.process, refusal.word)
    assert 2 <= len(during) <= OPERATIONS
    assert all(line.endswith("; trying again") for line in during)
    assert len(lines_of(reporter.process, "works again")) == len(during)
    assert "after 0 s" not in reporter.process.output()
    return {troubled(line) for line in during}


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.word)
def test_a_refusing_redis_makes_few_lines_of_the_reporter(sandbox, redis,
                                                          receiver, kind):
    """The jobs are due a moment later: a look without due jobs may succeed."""
    reporter = Reporter(sandbox, redis, **SETTINGS_OF_REPORTERS).start()
    up_ms = redis.now_ms() + 1500
    for _ in range(5):
        redis("ZADD", DUE, up_ms, f"- 0 {job(receiver.url())}")
    who = refuse(reporter, kind(redis))
    assert "looking for callbacks" in who
    assert "closing windows" in who
    receiver.wait_count(5)


def test_failing_settlements_make_few_lines(sandbox, redis, receiver):
    receiver.respond("/slow", Answer(delay_s=0.1))
    reporter = Reporter(sandbox, redis, **SETTINGS_OF_REPORTERS).start()
    put(redis, *[receiver.url("/slow")] * 300)
    receiver.wait_count(1)
    assert "settling callbacks" in refuse(reporter, NoReplicas(redis))
    receiver.wait_count(300, seconds=30)


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.word)
def test_a_refusing_redis_makes_few_lines_of_a_responder(sandbox, redis, kind):
    """Requests and /readyz, again and again."""
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    assert responder.ask("/readyz").status == 200
    assert responder.ask(accept(1)).status == 200
    refusal = kind(redis)
    refusal.enter()
    for number in range(50):
        assert responder.ask(accept(100 + number)).status == 503
        assert responder.ask("/readyz").status == 503
    refusal.leave()
    wait_until(lambda: responder.ask(accept(2)).status == 200, "ok again")
    assert responder.ask("/readyz").status == 200
    process = responder.process
    assert len(lines_of(process, "requests are refused")) == 1
    assert len(lines_of(process, "requests are counted again")) == 1
    assert len(lines_of(process, "not ready")) == 1
    assert len(lines_of(process, "ready again")) == 1


def test_not_ready_is_not_logged_as_refused(sandbox, redis):
    """Only /readyz fails, again and again, while ids are counted."""
    responder = Responder(sandbox, redis, VERVE_WINDOW_SECONDS=3600).start()
    assert responder.ask(accept(1)).status == 200
    redis("HSET", "verve:{0}:meta", "strategy", "hll")
    for number in range(20):
        assert responder.ask("/readyz").status == 503
        assert responder.ask(accept(100 + number)).status == 200
    output = responder.process.output()
    assert "requests are" not in output
    assert output.count('msg="not ready"') == 1


@pytest.mark.parametrize("name", ["reporter", "fcgi"])
def test_a_connection_that_breaks_often_makes_few_lines(sandbox, redis, name):
    program = {"reporter": Reporter, "fcgi": Responder}[name](
        sandbox, redis).start()
    for _ in range(100):
        redis.end_connections()
        time.sleep(LASTS_S / 100)
    owners = list(program.workers()) if name == "reporter" else ["fcgi"]

    def lines_about(owner):
        return [line["msg"] for line in program.process.logged_with("redis: ")
                if line["program"].endswith(owner)]
    for owner in owners:
        wait_until(lambda: lines_about(owner)[-1].endswith("ready"),
                   "it is connected again")
        lines = lines_about(owner)
        assert 3 <= len(lines) <= 1 + 2 * BEGINNINGS * 2
        lost = [line for line in lines if "connection lost" in line]
        assert len(lost) == BEGINNINGS
