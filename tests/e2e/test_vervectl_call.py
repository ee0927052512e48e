"""vervectl call: one test callback, made as a reporter makes it, and what came
back. Nothing of it gets into Redis."""

import re
import time

import pytest
from harness.hung import Hung
from harness.operator import words_of
from harness.receiver import Answer
from harness.records import epoch
from harness.sandbox import free_port
from test_signature import SECRET, verify


@pytest.fixture
def caller(operator):
    operator.env.update(VERVE_CALLBACKS_ALLOW="127.0.0.0/8,::1",
                        VERVE_CALLBACKS_SECRET=SECRET,
                        VERVE_CALLBACKS_TIMEOUT_MS="4000",
                        VERVE_CALLBACKS_CONNECT_TIMEOUT_MS="4000")
    return operator


def result(lines):
    return words_of(lines[-1])


def test_a_post(redis, receiver, caller):
    receiver.respond("/hook", Answer(201, {"X-Note": "a\x7fb", "X-Long":
                                           "y" * 5000}))
    lines = caller("call", receiver.url("/hook?a=b#top"))
    (got,) = receiver.at("/hook")
    assert got.target == "/hook?a=b"
    assert got.body == b'{"unique_request_count": 0}'
    assert re.fullmatch(r"test-[0-9a-f]{16}", got.headers["webhook-id"])
    assert got.headers["verve-callback"] == "1"
    assert abs(epoch(got.headers["verve-window"]) - time.time()) < 120
    assert verify(SECRET, got, got.body)
    shown = "\n".join(lines)
    assert "> POST /hook?a=b HTTP/1.1\n" in shown
    assert f"> webhook-id: {got.headers['webhook-id']}\n" in shown
    assert '\n> {"unique_request_count": 0}\n' in shown
    assert "\n< HTTP/1.1 201 Other\n" in shown
    assert "\n< X-Note: a\\x7fb\n" in shown
    assert max(map(len, lines)) < 300
    assert SECRET not in shown
    assert result(lines).pop("duration_ms").isdigit()
    assert {**result(lines), "duration_ms": 0} == {
        "host": f"127.0.0.1:{receiver.port}", "status": "201", "error": "-",
        "duration_ms": 0}
    assert redis("KEYS", "*") == []
    assert not (caller.sandbox.folder / "callbacks.txt").exists()


def test_a_get(receiver, caller):
    caller.env["VERVE_CALLBACKS_METHOD"] = "GET"
    caller("call", receiver.url("/hook?a=b"))
    (got,) = receiver.at("/hook")
    assert (got.method, got.target) == ("GET", "/hook?a=b&unique_requests=0")
    assert verify(SECRET, got, got.target.encode())


def test_what_went_wrong(sandbox, redis, receiver, caller):
    """The error words of the callback log."""
    receiver.respond("/bad", 500)
    receiver.respond("/cut", Answer(0))
    receiver.respond("/long", Answer(200, {f"X-{n}": "y" * 8000
                                           for n in range(20)}))
    silent = Hung(sandbox).url()
    redis("HSET", "verve:{0}:blocked", "blocked.example", "keep")
    for url, error in [(receiver.url("/bad"), "status-500"),
                       (receiver.url("/cut"), "reset"),
                       (receiver.url("/long"), "too-large"), (silent, "timeout"),
                       (f"http://127.0.0.1:{free_port()}/", "connect"),
                       ("http://no.such.name.invalid/", "resolve"),
                       ("http://blocked.example/", "blocked"),
                       ("http://10.0.0.1/", "refused")]:
        lines = caller("call", url, code=1)
        assert result(lines)["error"] == error, lines
    assert "10.0.0.0/8 private-use" in caller.errors
    del caller.env["VERVE_CALLBACKS_ALLOW"]
    lines = caller("call", receiver.url("/hook"), code=1)
    assert result(lines)["error"] == "refused"
    assert not receiver.at("/hook")


@pytest.mark.parametrize("words", [
    [], ["-x"], ["a", "b"], [""], ["ftp://a.example/"], ["/path"],
    ["http://user:x@a.example/"], ["http://a.example:0/"],
    ["http://a.example/" + "x" * 3000], ["http://other.example/"]])
def test_what_is_no_endpoint(caller, words):
    caller.env["VERVE_CALLBACKS_HOSTS"] = "*.example.com"
    assert caller("call", *words, code=100) == []
    assert caller.errors


def test_a_redis_that_cannot_be_asked(sandbox, redis, receiver, caller):
    """Its clock is needed, and its address, which must not be called."""
    url = receiver.url()
    redis.freeze()
    assert caller("call", url, code=111) == []
    redis.thaw()
    redis("CONFIG", "SET", "requirepass", "right")
    caller.env["VERVE_REDIS_URL"] = f"unix://:wrong@{redis.path}"
    assert caller("call", url, code=111) == []
    assert "verve-reporter: redis: " in caller.errors
    assert "wrong@" not in caller.errors
    redis.stop()
    assert caller("call", url, code=111) == []
    assert not receiver.received


def test_redis_itself_is_not_called(sandbox, redis, caller):
    port = free_port()
    redis("CONFIG", "SET", "port", port)
    caller.env["VERVE_REDIS_URL"] = f"redis://127.0.0.1:{port}"
    lines = caller("call", f"http://127.0.0.1:{port}/", code=1)
    assert result(lines)["error"] == "refused"
