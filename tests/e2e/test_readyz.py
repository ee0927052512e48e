"""/readyz: a 503 names its reason, and ?verbose lists the checks."""

import json

import pytest
from harness.answers import assert_unavailable
from harness.fastcgi import Responder
from harness.http import fetch
from harness.load import accept
from harness.redis import Redis
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.servers import every_server
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600}
CHECKS = ["redis", "eviction", "rights", "settings", "memory", "write",
          "replicas", "queue", "reporter", "lost"]
LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
MARKS = {"+": "ok", "-": "failed", "!": "warning", "?": "unknown"}


def read(body):
    """{check: (mark, reason)} of a verbose text, and its last line."""
    *lines, last = body.decode().splitlines()
    found = {}
    for line in lines:
        assert line[0] + line[2] == "[]", line
        head, _, reason = line[3:].partition(": ")
        name, word = head.split()
        assert MARKS[line[1]] == word
        found[name] = (line[1], reason)
    return found, last


def look(responder, **more):
    response = responder.ask("/readyz?verbose", **{**LOCAL, **more})
    found, last = read(response.body)
    assert list(found) == CHECKS
    assert last == f"readyz check {'passed' if response.status == 200 else 'failed'}"
    assert int(response.headers["content-length"]) == len(response.body)
    return response, found


def failing(found):
    return [name for name, (mark, _) in found.items() if mark == "-"]


def wait_failing(responder, check, code):
    """Waits until this check fails; returns its reason."""
    def is_failing():
        response = responder.ask("/readyz", **LOCAL)
        return response.headers.get("verve-error") == code and response
    assert_unavailable(wait_until(is_failing, code))
    response, found = look(responder)
    assert response.headers["verve-error"] == code
    assert response.headers["retry-after"] == "1"
    assert check in failing(found), found
    return found[check][1]


def wait_ready(responder):
    wait_until(lambda: responder.ask("/readyz").status == 200, "ready")


@every_server
def test_the_checks_are_listed(sandbox, redis, web):
    response = fetch(web.port, "/readyz?verbose")
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/plain")
    found, last = read(response.body)
    assert list(found) == CHECKS
    assert last == "readyz check passed"
    # Only the reporter is missing, which is no fault of the web host.
    assert {name for name, (mark, _) in found.items() if mark != "+"} == \
        {"reporter"}
    assert found["reporter"][0] == "!"
    Reporter(sandbox, redis).start()
    wait_until(lambda: read(fetch(web.port, "/readyz?verbose").body)[0][
        "reporter"][0] == "+", "a reporter lives")
    # An error page of the web server must not replace the body.
    redis("CONFIG", "SET", "maxmemory", "1")
    response = fetch(web.port, "/readyz?a=b&verbose=1")
    assert response.status == 503
    assert response.headers["verve-error"] == "redis-full"
    assert failing(read(response.body)[0]) == ["memory", "write"]
    response = fetch(web.port, "/readyz?verbose",
                     headers={"Accept": "text/html, application/json"})
    assert response.status == 503
    assert response.headers["content-type"] == "application/json"
    root = json.loads(response.body)
    assert root["status"] == "fail"
    assert list(root["checks"]) == CHECKS
    assert root["checks"]["memory"][0]["status"] == "fail"
    assert "OOM" in root["checks"]["memory"][0]["output"]
    assert root["checks"]["redis"] == [{"status": "pass"}]
    assert root["checks"]["replicas"] == [{"status": "unknown"}]
    head = fetch(web.port, "/readyz?verbose", method="HEAD")
    assert (head.status, head.body) == (503, b"")
    assert_unavailable(fetch(web.port, "/readyz"))
    assert fetch(web.port, "/healthz?verbose").body == b"ok"
    # Strangers may see that something is wrong, but not what Redis says.
    text = fetch(web.port, "/readyz?verbose",
                 headers={"X-Forwarded-For": "192.0.2.1"}).body.decode()
    assert "[-]memory failed: reason withheld" in text
    assert "OOM" not in text and str(redis.path) not in text


def test_json_says_whether_there_is_a_warning(responder):
    root = json.loads(responder.ask("/readyz?verbose", **LOCAL,
                                    HTTP_ACCEPT="application/json").body)
    assert root["status"] == "warn"
    assert root["checks"]["reporter"][0]["status"] == "warn"
    assert responder.ask("/readyz", HTTP_ACCEPT="application/json").body == b"ok"


def test_each_fault_is_named(redis, responder):
    """Of a Redis that is there."""
    wait_ready(responder)
    redis("CONFIG", "SET", "min-replicas-to-write", "1")
    assert "NOREPLICAS" in wait_failing(responder, "write",
                                        "redis-refuses-writes")
    redis("CONFIG", "SET", "min-replicas-to-write", "0")
    wait_ready(responder)
    redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    redis.end_connections()
    assert "noeviction" in wait_failing(responder, "eviction",
                                        "redis-eviction-policy")
    redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    wait_ready(responder)
    redis("HSET", "verve:{0}:meta", "strategy", "hll")
    assert "hll there" in wait_failing(responder, "settings",
                                       "settings-differ")
    redis.end_connections()
    assert "hll there" in wait_failing(responder, "settings",
                                       "settings-differ")
    redis("HSET", "verve:{0}:meta", "strategy", "setnx")
    wait_ready(responder)
    redis.limit_default_user("-zadd")
    redis.end_connections()
    assert "+zadd" in wait_failing(responder, "rights", "redis-rights")
    redis("ACL", "SETUSER", "default", "+zadd")
    wait_ready(responder)


def test_a_redis_that_is_away(sandbox):
    """It says why, but not the password."""
    port = free_port()
    redis = Redis(sandbox, port=port, bind="127.0.0.1",
                  requirepass="se%cret")
    responder = Responder(
        sandbox, redis, VERVE_REDIS_TIMEOUT_MS=250,
        VERVE_REDIS_URL=f"redis://default:se%25cret@127.0.0.1:{port}").start()
    reason = wait_failing(responder, "redis", "redis-unavailable")
    assert f"127.0.0.1:{port}" in reason
    response, found = look(responder)
    assert failing(found) == ["redis"]
    assert found["write"] == ("?", "not looked at")
    assert b"cret" not in response.body


def test_a_redis_that_hangs(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_REDIS_TIMEOUT_MS=250).start()
    wait_ready(responder)
    redis.freeze()
    wait_failing(responder, "redis", "redis-unavailable")
    redis.thaw()
    wait_ready(responder)


def test_too_few_replicas(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_REDIS_WAIT_REPLICAS=1,
                          VERVE_REDIS_TIMEOUT_MS=600).start()
    assert "too few replicas" in wait_failing(responder, "replicas",
                                              "replicas-missing")


def test_warnings_do_not_make_it_unready(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_CALLBACKS_MAX_QUEUE=1).start()
    wait_ready(responder)
    responder.ask(accept(1, "http://h.example/"))
    redis("ZADD", "verve:{0}:lost", 60, 60)
    redis("SETRANGE", "large", 30_000_000, "x")
    used = int(redis("INFO", "memory").partition("used_memory:")[2].split()[0])
    redis("CONFIG", "SET", "maxmemory", used + 2_000_000)
    redis.end_connections()
    wait_ready(responder)
    response, found = look(responder)
    assert response.status == 200
    assert {name for name, (mark, _) in found.items() if mark != "+"} == \
        {"memory", "queue", "reporter", "lost"}
    assert found["queue"][1].startswith("full, ")
    assert "1 of 1 callbacks" in found["queue"][1]
    assert "% of maxmemory" in found["memory"][1]
    assert "1 windows" in found["lost"][1]


@pytest.mark.parametrize("query", ["", "?", "?verbos", "?a=verbose",
                                   "?verbosee=1", "?Verbose"])
def test_without_the_parameter(responder, query):
    assert responder.ask(f"/readyz{query}", **LOCAL).body == b"ok"
