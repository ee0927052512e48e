"""vervectl sinks and status --json: how far each sink has come, for people and for
programs; and a sink that is rewound or forgotten."""

import json
import os
import time

import pytest
from harness.kafka import MockKafka
from harness.load import accept
from harness.operator import Operator, words_of
from harness.queue import DEAD, DUE
from harness.reporter import Reporter
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
HOST = os.uname().nodename


def sinks(operator):
    """{name: words} of the list."""
    lines = [line.split(None, 2) for line in operator("sinks")]
    return {name: words_of(words) for _, name, words in lines}


def stamp(window):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(window))


def wait_windows(reporter, count):
    """The report, once it has so many windows."""
    wait_until(lambda: len(reporter.report()) >= count,
               f"{count} windows are reported", 30.0)
    return reporter.report()


def test_rewind_of_a_file(sandbox, redis, operator):
    """The reporter runs all the time. read_report checks that no window is
    there twice."""
    reporter = Reporter(sandbox, redis).start()
    name = f"file:{HOST}:{reporter.report_path}"
    report = wait_windows(reporter, 3)
    first = min(report)
    live = wait_until(
        lambda: (live := sinks(operator)[name])["state"] == "live" and
        int(live["lag"]) <= 1 and live, "it is live and not behind", 30.0)
    assert live["owner"].startswith(f"{HOST}:")

    # The file has them all: nothing is written again, and it goes on.
    operator("sinks", "rewind", name, stamp(first))
    assert operator.errors == \
        f"vervectl: {name} writes the windows from {stamp(first)} on again\n"
    reporter.process.wait_output(f"{name}: rewound by an operator")
    wait_windows(reporter, len(report) + 3)

    # All lines but the first are lost: those of some windows come again, and
    # then those of all.
    reporter.term()
    report = reporter.report()
    lines = reporter.report_path.read_text().splitlines(True)
    reporter.report_path.write_text(lines[0])
    third = sorted(report)[2]
    operator("sinks", "rewind", name, stamp(third))
    reporter.start()
    again = wait_windows(reporter, len(report))
    assert set(report) - set(again) == {sorted(report)[1]}
    reporter.term()
    reporter.report_path.unlink()
    operator("sinks", "rewind", name, stamp(first))
    reporter.start()
    assert set(report) <= set(wait_windows(reporter, len(again) + 1))


def test_rewind_of_kafka(sandbox, redis, operator):
    kafka = MockKafka(sandbox)
    reporter = Reporter(sandbox, redis, **kafka.settings).start()
    operator.env["VERVE_REPORT_SINKS"] = "kafka"
    first = min(wait_windows(reporter, 2))
    name = "kafka:unique-request-count"
    wait_until(lambda: sinks(operator)[name]["cursor"] != "-", "it is written")

    def times(window):
        return [message["key"] for message in kafka.messages()].count(
            stamp(window))
    wait_until(lambda: times(first) == 1, "it is there", 15.0)
    operator("sinks", "rewind", name, str(first))
    wait_until(lambda: times(first) == 2 and times(first + 1) == 2,
               "they are there again", 15.0, 0.2)
    assert redis("HGET", f"verve:sink:{name}", "owner") != "vervectl"


def test_rewind_of_what_is_not_there(redis, operator):
    redis("HSET", "verve:sink:kafka:a b", "cursor", 1767323040, "token", 4)
    operator("sinks", "rewind", "kafka:a b", "1767323041", code=1)
    assert "its last window is 2026-01-02T03:04:00Z" in operator.errors
    operator("sinks", "rewind", "kafka:a b", "2026-01-02T03:04:00Z")
    assert redis("HGET", "verve:sink:kafka:a b", "cursor") == \
        str(1767323040 - 1)
    assert redis("HGET", "verve:sink:kafka:a b", "token") == "5"
    operator("sinks", "rewind", "kafka:a b", "001767323039")  # is not octal
    assert redis("HGET", "verve:sink:kafka:a b", "cursor") == \
        str(1767323039 - 1)
    operator("sinks", "rewind", "kafka:b", "1767323040", code=1)
    assert "has written nothing" in operator.errors
    assert not redis("EXISTS", "verve:sink:kafka:b")
    for window in ("yesterday", "", "2026-01-02T03:04:00", "-60", "1e9",
                   "2026-13-02T03:04:00Z", "99999999999999999999"):
        assert operator("sinks", "rewind", "kafka:a b", window, code=100) == []


@pytest.mark.parametrize("words", [
    ["eat"], ["list", "x"], ["rewind"], ["rewind", "a"], ["forget"],
    ["rewind", "a", "60", "x"], ["forget", "a", "b"], ["forget", "--all"]])
def test_wrong_usage(operator, words):
    assert operator("sinks", *words, code=100) == []
    assert operator.errors


def test_forget(sandbox, redis, operator):
    """A sink of a host that is gone is listed, and forgotten. One that a
    reporter writes to is refused."""
    gone = "file:gone host:/var/log/unique.log"
    redis("HSET", f"verve:sink:{gone}", "cursor", 1767323040, "token", 1,
          "owner", "gone host:7:0123456789abcdef", "lease_end_ms",
          1767323047000)
    redis("ZADD", "verve:sinks", 1767323047000, gone)
    reporter = Reporter(sandbox, redis).start()
    live = f"file:{HOST}:{reporter.report_path}"
    wait_windows(reporter, 1)
    shown = gone.replace(" ", "\\x20")
    found = sinks(operator)
    assert set(found) == {shown, live}
    assert found[shown].pop("lag").isdigit()
    assert found[shown] == {
        "state": "idle", "owner": "-", "cursor": "2026-01-02T03:04:00Z",
        "seen": "2026-01-02T03:04:07Z"}
    operator("sinks", "forget", gone, code=100)
    assert "-y" in operator.errors
    operator("sinks", "forget", "-y", live, code=1)
    assert f"{live} is live: {HOST}:" in operator.errors
    operator("sinks", "forget", gone, "-y")
    assert set(sinks(operator)) == {live}
    assert not redis("EXISTS", f"verve:sink:{gone}")
    operator("sinks", "forget", gone, "-y", code=1)
    assert "there is no sink" in operator.errors


def test_the_sinks_of_the_configuration_are_listed(redis, operator):
    operator.env.update(VERVE_REPORT_SINKS="syslog,kinesis,kafka,file",
                        VERVE_SINK_NAME="web-1")
    assert list(sinks(operator)) == [
        f"file:web-1:{operator.env['VERVE_FILE_PATH']}",
        "kafka:unique-request-count", "kinesis:unique-request-count",
        "syslog:web-1"]
    assert {words["state"] for words in sinks(operator).values()} == {"new"}
    operator.env["VERVE_REPORT_SINKS"] = "none"
    assert operator("sinks") == []


def test_a_redis_that_is_away(redis, operator):
    redis.stop()
    for words in (["sinks"], ["sinks", "rewind", "a", "60"],
                  ["sinks", "forget", "a", "-y"], ["status", "--json"]):
        assert operator(*words, code=111) == []
    redis.start()
    redis.freeze()
    assert operator.impatient()("sinks", code=111) == []
    assert operator.impatient()("status", "--json", code=111) == []
    redis.thaw()


def test_status_as_json(sandbox, redis, receiver, responder, operator):
    reporter = Reporter(sandbox, redis).start()
    receiver.respond("/gone", 410)
    responder.ask(accept(7, receiver.url("/gone")))
    wait_until(lambda: redis("LLEN", DEAD) == 1, "the job is dead")
    redis("ZADD", DUE, redis.now_ms() + 3600_000, "- 1 {}")
    redis("HSET", "verve:{0}:blocked", 'quo"te\\.example', "keep")
    redis("XADD", "verve:windows", "9999999999-0", "count", "x", "gap", "1")

    def status():
        return json.loads("\n".join(operator("status", "--json")))
    found = wait_until(
        lambda: (now := status()) and now["destination"] and
        now["reporter"][0]["dead"] == 1 and now, "it is published")
    assert list(found) == ["window", "shard", "reported", "queue", "backlog",
                           "blocked", "sink", "reporter", "destination"]
    assert found["shard"] == []
    assert found["window"]["seconds"] == 1
    assert found["window"]["start"].endswith("Z")
    assert found["reported"][0] == {"start": "2286-11-20T17:46:39Z",
                                    "count": "unknown", "gap": True}
    assert found["queue"] == {"waiting": 0, "leased": 0, "delayed": 1,
                              "dead": 1}
    assert found["backlog"] == []
    assert found["blocked"] == [{"host": 'quo"te\\.example', "jobs": "keep"}]
    assert found["sink"][0]["name"] == f"file:{HOST}:{reporter.report_path}"
    assert found["sink"][0]["state"] == "live"
    assert found["reporter"][0]["name"] == f"{HOST}:{reporter.worker()}"
    assert found["destination"][0]["proven"] is True
    assert found["destination"][0]["destination"] == \
        f"http://127.0.0.1:{receiver.port}"


def test_status_of_an_empty_redis_as_json(sandbox, redis):
    found = json.loads("\n".join(Operator(
        sandbox, VERVE_REDIS_URL=redis.url)("status", "--json")))
    assert found["reporter"] == found["destination"] == found["reported"] == []
    assert found["sink"][0]["cursor"] is None
    assert found["window"]["count"] == 0
