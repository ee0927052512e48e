"""vervectl with several shards: what it shows is that of all of them, and what it
changes it changes in all."""

import json
import subprocess
import time

import pytest
from harness.operator import words_of
from harness.queue import DEAD, DUE, dead, is_settled, job, put
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.settings import REPORTER
from harness.shards import TAGS, shards_of
from harness.wait import wait_until

SHARDS = 3
SETTINGS = {"VERVE_REDIS_SHARDS": SHARDS, "VERVE_WINDOW_SECONDS": 2,
            "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8", **QUICK_CALLBACKS}
HOUR_MS = 3600_000
BLOCKED = "verve:{0}:blocked"


@pytest.fixture
def shards(redis):
    return shards_of(redis, SHARDS)


def delay(shard, text, claim="-"):
    shard("ZADD", DUE, int(time.time() * 1000) + HOUR_MS, f"{claim} 1 {text}")


def jobs(lines):
    return sorted(words_of(line)["job"] for line in lines)


def ids(texts):
    return sorted(json.loads(text)["id"] for text in texts)


def refuse(redis, tag):
    """The shard with this tag refuses all programs, as if it were away."""
    keys = [f"~verve:{other}:*" for other in TAGS[SHARDS] if other != tag]
    redis.limit_default_user("resetkeys", *keys, "~verve:windows",
                             "~verve:sink*")


def test_the_tags_are_those_of_the_program(sandbox, redis):
    for count, tags in TAGS.items():
        done = subprocess.run(
            [REPORTER, "-p", "redis.shards.tags"], capture_output=True,
            env=sandbox.environment({"VERVE_REDIS_SHARDS": count}),
            timeout=30, check=True)
        assert done.stdout.decode().split() == [tag.strip("{}")
                                                for tag in tags]


def test_status_has_all_shards(sandbox, redis, shards, operator, receiver):
    """And check finds them healthy."""
    reporter = Reporter(sandbox, redis).start()
    wait_until(reporter.report, "a window is reported", 15.0)
    receiver.respond("/gone", 410)
    for shard in shards:
        put(shard, receiver.url("/gone"))
    wait_until(lambda: all(dead(shard) for shard in shards), "all are dead")
    for n, shard in enumerate(shards):
        for _ in range(n + 1):
            delay(shard, job(receiver.url()))
    wait_until(lambda: sum("dead=1" in line
                           for line in operator.facts("reporter")) == 3,
               "all workers are published")
    assert operator.facts("queue") == [
        "waiting=0 leased=0 delayed=6 dead=3"]
    assert len(operator.facts("destination")) == 3
    assert len(operator.facts("reported")) >= 1
    assert [words_of(line)["tag"] for line in operator.facts("shard")] == \
        [tag.strip("{}") for tag in TAGS[SHARDS]]
    now = int(redis("TIME")[0])
    for window in now // 2 * 2 + 10, now // 2 * 2 + 12:
        redis("SET", "verve:{0}:sealed", window - 2)
        for n, shard in enumerate(shards):
            shard("SET", f"verve:{{0}}:count:{window}", n + 1)
    found = json.loads("\n".join(operator("status", "--json")))
    assert found["window"]["count"] == 6
    assert [(one["shard"], one["count"], one["due"], one["dead"])
            for one in found["shard"]] == [(0, 1, 1, 1), (1, 2, 2, 1),
                                           (2, 3, 3, 1)]


def test_the_queue_is_that_of_all_shards(redis, shards, operator):
    waiting, delayed, given_up = [], [], []
    for shard in shards:
        waiting.append(job("http://a.example/"))
        shard("RPUSH", "verve:{0}:callbacks", waiting[-1])
        delayed.append(job("http://b.example/"))
        delay(shard, delayed[-1])
        given_up.append(job("http://c.example/"))
        shard("RPUSH", DEAD, given_up[-1])
    assert jobs(operator("queue", "list", "--waiting")) == ids(waiting)
    assert jobs(operator("queue", "list")) == ids(delayed + given_up)
    wanted = json.loads(delayed[2])["id"]
    assert jobs(operator("queue", "show", wanted)[:1]) == [wanted]
    assert [words_of(line)["waiting"]
            for line in operator.facts("queue")] == ["3"]

    operator("queue", "drop", wanted, "-y")
    assert "1 dropped" in operator.errors
    assert [shard("ZCARD", DUE) for shard in shards] == [1, 1, 0]
    operator("queue", "retry", "--dead", "--all")
    assert "3 to be tried again" in operator.errors
    assert not any(dead(shard) for shard in shards)
    assert [shard("LLEN", "verve:{0}:callbacks") for shard in shards] == [2] * 3
    operator("queue", "drop", "--host", "nobody.example", "-y", code=1)


def test_a_host_is_blocked_in_all_shards(sandbox, redis, shards, operator,
                                         receiver):
    Reporter(sandbox, redis).start()
    for _ in range(2): # to say it again does no harm
        operator("block", "127.0.0.1")
    assert operator.facts("blocked") == ["127.0.0.1 jobs=keep"]
    wait_until(lambda: all(shard("HLEN", BLOCKED) for shard in shards),
               "it is written")
    time.sleep(2.0)  # HEEDED_S of vervectl-block.sh
    for shard in shards:
        put(shard, receiver.url())
    wait_until(lambda: sum(shard("ZCARD", DUE) for shard in shards) == 3,
               "all are delayed")
    assert not receiver.received
    operator("unblock", "127.0.0.1")
    assert "3 delayed ones are due" in operator.errors
    receiver.wait_count(3)
    wait_until(lambda: all(is_settled(shard) for shard in shards), "settled")
    operator("unblock", "127.0.0.1", code=1)
    assert "is not blocked" in operator.errors


def test_a_shard_that_is_away(redis, shards, operator):
    """What the others have is shown and changed all the same."""
    for shard in shards:
        shard("RPUSH", DEAD, job("http://a.example/"))
    refuse(redis, shards[1].tag)
    lines = operator("status", code=111)
    assert "shard 1 is away, or refuses" in operator.errors
    assert "shard       1 state=away" in lines
    found = json.loads("\n".join(operator("status", "--json", code=111)))
    assert [one["state"] for one in found["shard"]] == ["up", "up", "away"]
    assert found["window"]["count"] is None  # nobody knows
    assert found["queue"]["dead"] == 2
    assert len(operator("queue", "list", code=111)) == 2
    operator("queue", "list", "--delayed", code=111)

    operator("block", "a.example", code=111)
    assert "the workers of shard 1 do not know it yet: run vervectl block " \
        "a.example again" in operator.errors
    assert [shard("HLEN", BLOCKED) for shard in shards] == [1, 0, 1]
    redis("ACL", "SETUSER", "default", "~*")
    assert operator.facts("blocked") == ["a.example jobs=keep shards=2"]
    operator("block", "a.example")
    assert operator.facts("blocked") == ["a.example jobs=keep"]

    # Shard 0 knows which window is on.
    refuse(redis, shards[0].tag)
    found = json.loads("\n".join(operator("status", "--json", code=111)))
    assert found["window"] is None
    assert found["queue"]["dead"] == 2
    operator("unblock", "a.example", code=111)
    redis("ACL", "SETUSER", "default", "~*")
    operator("unblock", "a.example")
    operator("unblock", "a.example", code=1)


def check(operator, *words, code):
    """The status line of vervectl check."""
    (line,) = operator("check", *words, code=code)
    return line


def test_check_sees_all_shards(sandbox, redis, shards, operator):
    reporter = Reporter(sandbox, redis).start()
    wait_until(reporter.report, "a window is reported", 15.0)
    line = check(operator, "--age", "60,60", code=0)
    assert {"skew_0", "skew_1", "skew_2"} <= set(words_of(line))
    # Each shard has a third of the limits.
    operator.env["VERVE_CALLBACKS_MAX_QUEUE"] = "30"
    reporter.kill()
    for _ in range(9):
        delay(shards[2], job("http://a.example/"))
    line = check(operator, "--age", "600,600", code=1)
    assert "VerveQueueFull: the callback queue is 90 % full (9 callbacks" in line
    assert words_of(line)["queue"] == "9;24;28;0;30"
    delay(shards[0], job("http://a.example/"))
    for _ in range(3):
        shards[1]("RPUSH", DEAD, job("http://a.example/"))
    line = check(operator, "--age", "600,600", "--dead", "2,100", code=1)
    assert words_of(line)["queue"].startswith("10;")
    assert "3 callbacks were given up" in line
    refuse(redis, shards[1].tag)
    line = check(operator, "--age", "600,600", code=2)
    assert "VerveRedisUnusable: shard 1: " in line
    assert words_of(line)["queue"].startswith("10;")


def test_doctor_looks_at_all_shards(sandbox, redis, shards, operator):
    reporter = Reporter(sandbox, redis).start()
    wait_until(lambda: operator.findings().get("settings", " ")[0][0] == "ok"
               and "configuration" in operator.findings(), "all is right", 20.0)
    shards[2]("HSET", "verve:{0}:meta", "strategy", "hll", "shards", 3,
              "window_seconds", 2, "shard", 2)
    (found,) = operator.findings()["settings"]
    assert found[:2] == ("critical", "dedup.strategy is hll in shard 2 and "
                         "setnx on this host: programs of this host refuse to "
                         "start")
    shards[2]("HSET", "verve:{0}:meta", "strategy", "setnx", "shard", 1)
    (found,) = operator.findings()["settings"]
    assert "the keys of shard 2 are those of shard 1" in found[1]
    reporter.kill()
    refuse(redis, shards[1].tag)
    assert any(severity == "critical" and
               what.startswith("shard 1 does not answer: ")
               for severity, what, _ in operator.findings()["redis"])
