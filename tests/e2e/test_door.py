"""Hosts that may be endpoints (callbacks.hosts), and hosts that are not called
(callbacks.block, vervectl block)."""

import json
import subprocess
import time

import pytest
from harness.fastcgi import Responder
from harness.load import accept
from harness.queue import DEAD, DUE, due, is_settled, put
from harness.receiver import Answer
from harness.reporter import Reporter
from harness.settings import REPORTER, ROOT
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600}
BLOCKED = "verve:{0}:blocked"
IN_EFFECT_S = 3.0  # 2 s, and what a shared machine may add
SLACK_S = 8.0  # other programs run on this machine


@pytest.fixture
def vervectl(sandbox, redis):
    """Runs vervectl; returns its output."""
    def run(*words, code=0):
        done = subprocess.run(
            [str(ROOT / "ops" / "vervectl"), "-f", str(REPORTER), *words],
            env=sandbox.environment({
                "VERVE_REDIS_URL": redis.url_of("vervectl")}),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            text=True, check=False)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done.stdout + done.stderr
    return run


# --- callbacks.hosts


@pytest.mark.parametrize("endpoint,allowed", [
    ("http://a.example/x", True), ("https://A.EXAMPLE.:8443/", True),
    ("http://b.example/", False), ("http://deep.x.wild.example/", True),
    ("http://wild.example/", False), ("http://evil-wild.example/", False),
    ("http://a.example.evil.example/", False),
    # libcurl, which calls them, reads all of these as the same hosts.
    ("http://192.0.2.1/", True), ("http://0xc0.0.2.1/", True),
    ("http://3221225985/", True), ("http://192.0.2.10/", False),
    ("http://[2001:DB8:0:0::1]/", True), ("http://[2001:db8::2]/", False),
    ("http://%61.example/", True), ("http://b.example/?a.example", False)])
def test_only_listed_hosts_may_be_endpoints(sandbox, redis, endpoint,
                                            allowed):
    responder = Responder(
        sandbox, redis, VERVE_CALLBACKS_HOSTS="a.example, *.wild.example,"
        "192.0.2.1,[2001:db8::1]").start()
    answer = responder.ask(accept(7, endpoint))
    if allowed:
        assert (answer.status, answer.body) == (200, b"ok")
    else:
        assert (answer.status, answer.body) == (400, b"failed")
        assert answer.headers["verve-error"] == "endpoint-not-allowed"
        assert redis("KEYS", "verve:{0}:seen:*") == []


def test_without_a_list_any_host_may_be_an_endpoint(responder):
    assert responder.ask(accept(7, "http://b.example/")).status == 200


def test_the_list_is_for_endpoints_alone(sandbox, redis):
    responder = Responder(sandbox, redis,
                          VERVE_CALLBACKS_HOSTS="a.example").start()
    assert responder.ask(accept(7)).status == 200
    # A callback of our own: its endpoint is ignored.
    assert responder.ask(accept(8, "http://b.example/"),
                         HTTP_VERVE_CALLBACK="1").status == 200


@pytest.mark.parametrize("key", ["HOSTS", "BLOCK"])
@pytest.mark.parametrize("value", ["http://a.example", "a.example:80", "*",
                                   "*.*.example", "127.1", "10.0.0.0/8"])
def test_wrong_patterns_are_refused(sandbox, key, value):
    done = subprocess.run(
        [REPORTER, "-t"], capture_output=True, text=True, check=False,
        env=sandbox.environment({f"VERVE_CALLBACKS_{key}": value}))
    assert done.returncode == 100
    assert f"VERVE_CALLBACKS_{key}: \"{value}\"" in done.stderr


# --- callbacks.block


def wait_put_back(redis, ids):
    """Until jobs are back in Redis for a while, without an attempt used."""
    def is_back():
        found = due(redis)
        return all(found.get(job, "?")[0] == "-" for job in ids)
    wait_until(is_back, "the jobs are kept", SLACK_S)
    assert [due(redis)[job][1] for job in ids] == [0] * len(ids)


def test_the_configured_hosts_are_not_called(sandbox, redis, receiver):
    """And the list is read again on HUP."""
    path = sandbox.folder / "verve.conf"
    path.write_text("[callbacks]\nblock = 127.0.0.2,*.example\n")
    reporter = Reporter(sandbox, redis, VERVE_CONF=path).start()
    kept = put(redis, receiver.url("/two", host=2), "http://a.example/")
    put(redis, receiver.url("/one"))
    receiver.wait_count(1, "/one")
    wait_put_back(redis, kept)
    # The other host is blocked now, and the first is not.
    path.write_text("[callbacks]\nblock = 127.0.0.1\n")
    reporter.process.hup()
    reporter.process.wait_output('callbacks.block = 127.0.0.1"')
    kept = put(redis, receiver.url("/one"))
    put(redis, receiver.url("/two", host=2))
    receiver.wait_count(1, "/two")
    wait_put_back(redis, kept)
    assert len(receiver.at("/one")) == 1


def test_an_error_in_the_file_leaves_the_list(sandbox, redis, receiver):
    path = sandbox.folder / "verve.conf"
    path.write_text("[callbacks]\nblock = 127.0.0.2\n")
    reporter = Reporter(sandbox, redis, VERVE_CONF=path).start()
    path.write_text("[callbacks]\nblock =\nnonsense = 1\n")
    reporter.process.hup()
    reporter.process.wait_output("callbacks.block stays as it was")
    kept = put(redis, receiver.url("/two", host=2))
    wait_put_back(redis, kept)
    assert receiver.received == []


# --- vervectl block


def test_a_blocked_host_is_not_called_until_it_is_unblocked(
        redis, reporter, receiver, vervectl):
    vervectl("block", "127.0.0.2")
    assert redis("HGETALL", BLOCKED) == ["127.0.0.2", "keep"]
    assert "blocked     127.0.0.2 jobs=keep" in vervectl("status")
    time.sleep(IN_EFFECT_S)
    kept = put(redis, receiver.url("/two", host=2))
    put(redis, receiver.url("/one"))
    receiver.wait_count(1, "/one")
    wait_put_back(redis, kept)
    assert receiver.at("/two") == []
    assert reporter.process.output().count("blocked by vervectl") == 1
    vervectl("unblock", "127.0.0.2")
    # Long before the time that it was put back for.
    receiver.wait_count(1, "/two", seconds=SLACK_S)
    wait_until(lambda: is_settled(redis), "all are delivered")
    assert redis("EXISTS", BLOCKED) == 0
    assert {line["job"]: line["attempt"] for line in reporter.callbacks()}[
        kept[0]] == "1"


def test_jobs_that_a_reporter_holds_are_stopped_too(
        redis, reporter, receiver, vervectl):
    """A destination that has answered starts with four attempts: the others wait
    while those hang."""
    receiver.respond("/slow", Answer(None))
    put(redis, receiver.url("/first", host=2))
    wait_until(lambda: is_settled(redis), "it has answered")
    put(redis, *[receiver.url("/slow", host=2)] * 30)
    receiver.wait_count(4, "/slow")
    vervectl("block", "127.0.0.2")
    time.sleep(IN_EFFECT_S)
    before = len(receiver.received)
    time.sleep(6)  # the attempts under way end by their time limit
    assert len(receiver.received) == before
    wait_until(lambda: redis("ZCARD", DUE) == 30, "all are kept", SLACK_S)


def test_the_jobs_of_a_blocked_host_can_be_dropped(
        redis, reporter, receiver, vervectl):
    hour_ms = redis.now_ms() + 3600_000
    (waiting,) = put(redis, receiver.url("/two", host=2))
    wait_until(lambda: is_settled(redis), "it is delivered")
    redis("ZADD", DUE, hour_ms, "- 3 " + json.dumps(
        {"v": 1, "id": "later", "url": receiver.url("/later", host=2),
         "window": 60, "count": 1}))
    assert "needs -y" in vervectl("block", "--drop", "127.0.0.2", code=100)
    assert "1 delayed" in vervectl("block", "--drop", "-y", "127.0.0.2")
    time.sleep(IN_EFFECT_S)
    jobs = put(redis, *[receiver.url("/two", host=2)] * 3)
    wait_until(lambda: is_settled(redis), "all are dropped", SLACK_S)
    assert redis("LLEN", DEAD) == 0
    assert len(receiver.received) == 1
    lines = {line["job"]: (line["status"], line["error"], line["next"])
             for line in reporter.callbacks()}
    assert {line["host"] for line in reporter.callbacks()} == \
        {f"127.0.0.2:{receiver.port}"}
    assert lines.pop(waiting) == ("200", "-", "done")
    assert lines == {job: ("-", "blocked", "dead") for job in jobs}
    wait_until(lambda: "blocked=3" in vervectl("status"), "it is counted",
               SLACK_S)


def test_jobs_can_be_dropped_if_redis_is_full(redis, vervectl):
    delayed = {"v": 1, "id": "later", "url": "http://a.example/",
               "window": 60, "count": 1}
    redis("ZADD", DUE, redis.now_ms() + 3600_000,
          "- 3 " + json.dumps(delayed))
    redis("CONFIG", "SET", "maxmemory", 1)
    assert "1 delayed" in vervectl("block", "--drop", "-y", "a.example")
    assert redis("HGETALL", BLOCKED) == ["a.example", "drop"]
    assert redis("EXISTS", DUE) == 0


def test_a_pattern_blocks_all_names_below_a_name(redis, reporter, vervectl):
    vervectl("block", "*.Example.COM.")
    assert redis("HKEYS", BLOCKED) == ["*.example.com"]
    time.sleep(IN_EFFECT_S)
    kept = put(redis, "http://a.example.com/", "http://b.a.example.com/")
    wait_put_back(redis, kept)
    assert "2 delayed ones are due" in vervectl("unblock", "*.example.com")


def test_all_reporters_heed_it_and_a_new_one_at_once(sandbox, redis, receiver,
                                                     vervectl):
    vervectl("block", "127.0.0.2")
    kept = put(redis, *[receiver.url("/two", host=2)] * 20)
    for name in ("a", "b"):
        Reporter(sandbox, redis, name).start()
    wait_put_back(redis, kept)
    assert receiver.received == []


def test_a_broken_list_stops_nothing(redis, reporter, receiver):
    redis("SET", BLOCKED, "no hash")
    reporter.process.wait_output("reading blocked hosts")
    put(redis, receiver.url("/one"))
    receiver.wait_count(1, "/one")
    redis("DEL", BLOCKED)
    redis("HSET", BLOCKED, "a b", "keep", "127.0.0.3", "what", "[", "drop")
    reporter.process.wait_output("reading blocked hosts: works again")
    put(redis, receiver.url("/three", host=3))
    receiver.wait_count(1, "/three")


@pytest.mark.parametrize("words", [
    ["block"], ["block", "a.example", "b.example"], ["block", "a.example:80"],
    ["block", "*"], ["block", "a.example,b.example"], ["block", "-x"],
    ["block", "a.example", "-y"], ["unblock"], ["unblock", "--drop", "a"],
    ["block", "a example"], ["block", "127.1"]])
def test_wrong_usage(redis, vervectl, words):
    vervectl(*words, code=100)
    assert redis("EXISTS", BLOCKED) == 0


def test_a_host_that_is_not_blocked(vervectl):
    assert "is not blocked" in vervectl("unblock", "a.example", code=1)
