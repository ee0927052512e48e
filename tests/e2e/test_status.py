"""GET /api/verve/stats: what it tells, to whom, and what is wrong with what to
do. Each planted fault is told within ten seconds."""

import json
import re
import time

import pytest
from harness.edge import right_clock
from harness.fastcgi import Peer, Responder
from harness.load import accept
from harness.preload import RedisClock
from harness.queue import DEAD, put
from harness.redis import Redis
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.sandbox import free_port
from harness.servers import every_server
from harness.settings import ROOT
from harness.wait import wait_until

TARGET = "/api/verve/stats"
MOST_BYTES = 16384
SAID = "verve:{0}:presence-said"
PRESENCE = "verve:{0}:presence"
ALIKE = {"VERVE_REDIS_TIMEOUT_MS": 250, "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8"}


def ask(responder, target=TARGET, **more):
    with Peer(responder.path) as peer:
        return peer.ask(target, **{"REMOTE_ADDR": "127.0.0.1", **more})


def look(responder):
    response = ask(responder)
    assert response.status == 200, response
    assert len(response.body) <= MOST_BYTES
    return json.loads(response.body)


def codes(responder):
    return {finding["code"] for finding in look(responder)["findings"]}


def wait_for(responder, code, state, seconds=10.0):
    """The finding, with the state in one word."""
    def found():
        page = look(responder)
        return [finding for finding in page["findings"]
                if finding["code"] == code and page["state"] == state]
    (finding,) = wait_until(found, f"{code}: {look(responder)}", seconds)[:1]
    assert len(finding["text"]) > 20 and len(finding["todo"]) > 20
    return finding


@pytest.fixture
def pair(sandbox, redis):
    """A responder and a reporter with the same settings, all well."""
    responder = Responder(sandbox, redis, **ALIKE).start()
    reporter = Reporter(sandbox, redis, **QUICK_CALLBACKS, **ALIKE).start()
    wait_until(lambda: len(look(responder).get("store", {}).get(
        "reporters", [])) == 2, "the reporter is there")
    return responder, reporter


@right_clock
def test_what_it_tells(pair, redis, receiver):
    responder, reporter = pair
    redis.wait_for_room(20)
    for number in 1, 2, 2, "x":
        responder.ask(accept(number))
    responder.ask(accept(3, receiver.url("/hook")))

    def all_told():
        page = look(responder)
        store = page["store"]
        return store["callbacks"].get("delivered") == 1 and \
            store["queue"]["jobs"] == 0 and store["destinations"] and \
            [sink["lag"] for sink in store["sinks"]] == [0] and page
    page = wait_until(all_told, "the callback is delivered, the report "
                      "written, and all of it told")
    assert page["v"] == 1
    assert page["requests"]["codes"] == {"200": 4, "400": 1}
    assert page["requests"]["errors"] == {"id-not-an-integer": 1}
    assert page["requests"]["ids"]["new"] == 3
    store = page["store"]
    assert store["window"]["seconds"] == 60
    assert store["window"]["count"] == 3
    (host,) = store["web"]
    assert (host["responders"], host["living"]) == (1, True)
    assert re.fullmatch(r"[0-9a-f]{8}", host["config"])
    assert {row["worker"] for row in store["reporters"]} == \
        {"reports", "callbacks-1"}
    (sink,) = store["sinks"]
    assert sink["name"].startswith("file:") and sink["owner"] == host["host"]
    assert sink["error"] == ""
    (destination,) = store["destinations"]
    assert destination["breaker"] == "closed"
    assert receiver.url("").rstrip("/").endswith(
        destination["origin"].rpartition(":")[2])
    assert page["state"] == "ok", page["findings"]
    reporter.term()


def test_windows_and_gaps(sandbox, redis):
    settings = {**ALIKE, "VERVE_WINDOW_SECONDS": 1}
    responder = Responder(sandbox, redis, **settings).start()
    Reporter(sandbox, redis, **settings).start()
    responder.ask(accept(1))
    window = wait_until(
        lambda: [one for one in look(responder)["store"]["windows"]
                 if one.get("count") == 1], "the window is recorded")[0]
    redis("XADD", "verve:windows", f"{window['start'] + 100}-0", "count", 0,
          "late", 1, "gap", 1, "seconds", 1)
    newest = wait_until(
        lambda: (one := look(responder)["store"]["windows"][0]).get("gap") and
        one, "the gap is told")
    assert newest == {"start": window["start"] + 100, "gap": True,
                      "late": True}
    assert "gaps" in codes(responder)


def test_who_may_read_it(responder):
    for target in TARGET, "/status/", "/status/status.css", \
            "/status/status.js":
        assert ask(responder, target).status == 200, target
        refused = ask(responder, target, REMOTE_ADDR="192.0.2.1")
        assert refused.status == 403
        assert refused.headers["verve-error"] == "metrics-not-allowed"
        assert ask(responder, target,
                   HTTP_X_FORWARDED_FOR="192.0.2.1").status == 403
        assert ask(responder, target, method="POST").status == 405
        head = ask(responder, target, method="HEAD")
        assert (head.status, head.body) == (200, b"")
    assert ask(responder, "/status/x").status == 404
    page = ask(responder, "/status/")
    assert page.headers["content-security-policy"].startswith(
        "default-src 'self';")


@every_server
def test_through_the_web_server(web):
    assert json.loads(web.get(TARGET).body)["v"] == 1
    for target, kind in ("/status/", "text/html"), \
            ("/status/status.css", "text/css"), \
            ("/status/status.js", "text/javascript"), \
            ("/status/icon.svg", "image/svg+xml"):
        response = web.get(target)
        assert response.status == 200, target
        assert response.headers["content-type"].startswith(kind)
    forwarded = web.get("/status/", headers={"X-Forwarded-For": "1.2.3.4"})
    assert forwarded.status == 403


def test_redis_is_asked_twice_a_second(sandbox, redis):
    """However many look, at whichever responder."""
    responder = Responder(sandbox, redis).start(3)
    look(responder)
    redis("CONFIG", "RESETSTAT")
    started = time.monotonic()
    for _ in range(100):
        look(responder)
    first = redis.calls("xrevrange")
    assert first <= 2 + 2 * (time.monotonic() - started), first
    wait_until(lambda: look(responder) and redis.calls("xrevrange") > first,
               "it is asked again")


def test_nothing_secret_and_never_too_long(responder, redis):
    """Whatever is in Redis."""
    put(redis, "http://u:pw1@h.example/p?key=pw2")
    text = redis("LPOP", "verve:{0}:callbacks")
    dead = json.loads(text)
    dead.update(attempts=3, error="status-500")
    redis("RPUSH", DEAD, json.dumps(dead, separators=(",", ":")), "\x00rubbish")
    page = wait_until(lambda: (page := look(responder))["store"]["dead"] and
                      page, "the dead are told")
    assert page["store"]["dead"][0]["error"] == "unreadable"
    assert page["store"]["dead"][1]["host"] == "h.example:80"
    assert page["store"]["dead"][1]["error"] == "status-500"
    assert "pw" not in json.dumps(page)
    long = "<b>\u2028" + "x" * 3000
    now = redis("TIME")[0]
    for n in range(60):
        said = {"program": "verve-fcgi" if n % 2 else "verve-reporter",
                "host": long, "version": long, "config": long, "worker": long,
                "sinks": [{"name": f"{i}{long}", "error": long,
                           "owned": True, "failing_s": 9} for i in range(20)],
                "destinations": [{"origin": f"{i}{long}", "breaker": long}
                                 for i in range(20)]}
        redis("HSET", SAID, f"{n}{long}", json.dumps(said))
        redis("ZADD", PRESENCE, int(now) * 1000 + 1000, f"{n}{long}")
        redis("RPUSH", DEAD, json.dumps({**dead, "error": long}))
    redis("RPUSH", "verve:{0}:callbacks", *["x"] * 100)
    redis("HSET", SAID, "rubbish", "[[[")
    redis("ZADD", PRESENCE, int(now) * 1000 + 1000, "rubbish")
    wait_until(lambda: len(look(responder)["store"]["web"]) > 1, "all is told")


def test_no_reporter(pair):
    responder, reporter = pair
    reporter.kill()
    wait_for(responder, "no-reporter", "down")


def test_a_list_that_is_cut_hides_no_reporter(redis, responder):
    """All are judged, also those for which the answer has no room."""
    now_ms = int(redis("TIME")[0]) * 1000 + 60000
    names = ["a/reports", *(f"b/callbacks-{n}" for n in range(40))]
    for name in names:
        said = {"program": "verve-reporter", "worker": name.split("/")[1]}
        redis("HSET", SAID, f"verve-reporter/{name}", json.dumps(said))
        redis("ZADD", PRESENCE, now_ms, f"verve-reporter/{name}")
    page = wait_until(lambda: (page := look(responder))["store"]["reporters"]
                      and page, "the reporters are told")
    told = {row["worker"] for row in page["store"]["reporters"]}
    assert len(told) < len(names) and "reports" not in told
    assert "no-reporter" not in {one["code"] for one in page["findings"]}


def test_redis_frozen(pair, redis):
    """The last that was known is shown. Any responder of the pool knows it."""
    responder, _ = pair
    responder.ask(accept(1))
    redis.freeze()
    finding = wait_for(responder, "redis-unavailable", "down")
    assert "nothing is counted" in finding["text"]
    page = look(responder)
    assert page["store"]["web"] and page["redis"]["answers"] is False
    responder.start()
    responder.processes[0].stop()
    assert look(responder)["store"]["at"] == page["store"]["at"]
    redis.thaw()
    wait_until(lambda: look(responder)["redis"]["answers"], "it answers again")


def test_redis_full(pair, redis):
    responder, _ = pair
    redis("CONFIG", "SET", "maxmemory", 1000)
    wait_for(responder, "redis-full", "down")


def test_sink_down(sandbox, redis):
    responder = Responder(sandbox, redis, **ALIKE).start()
    Reporter(sandbox, redis, VERVE_REPORT_SINKS="kafka", **ALIKE,
             VERVE_KAFKA_BROKERS=f"127.0.0.1:{free_port()}",
             VERVE_KAFKA_MESSAGE_TIMEOUT_MS=1000).start()
    now = int(redis("TIME")[0])
    redis("XADD", "verve:windows", f"{now - now % 60 - 60}-0", "count", 5,
          "late", 0, "gap", 0, "seconds", 60)
    finding = wait_for(responder, "sink-failing", "warning")
    assert re.search(r"kafka.*windows behind: [12]", finding["text"])


def test_destination_down(pair, redis):
    responder, _ = pair
    put(redis, *[f"http://127.0.0.1:{free_port()}/hook"] * 20)
    finding = wait_for(responder, "destination-down", "warning")
    assert "127.0.0.1" in finding["text"]


def test_queue_full(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_CALLBACKS_MAX_QUEUE=2,
                          **ALIKE).start()
    Reporter(sandbox, redis, VERVE_CALLBACKS_WORKERS=0, **ALIKE).start()
    for number in 1, 2, 3:
        last = responder.ask(accept(number, "http://h.example/"))
    assert last.status == 503
    wait_for(responder, "queue-full", "down")


def test_wrong_clock(sandbox):
    """Of Redis's host, ahead and then back."""
    clock = RedisClock(sandbox)
    redis = Redis(sandbox, environment=clock.environment).start()
    responder = Responder(sandbox, redis, **ALIKE).start()
    Reporter(sandbox, redis, **ALIKE).start()
    responder.ask(accept(1))
    clock.step_to(7200)
    wait_for(responder, "clock-skew", "warning")
    responder.ask(accept(1))
    redis("SET", "verve:{0}:sealed",
          int(redis("TIME")[0]) // 60 * 60)  # as a reporter would
    clock.step_to(0)
    wait_for(responder, "redis-clock", "warning")


def test_old_configuration(sandbox, redis, pair):
    responder, _ = pair
    for name in "new", "old":
        Responder(sandbox, redis, name, **ALIKE,
                  VERVE_STATS_PATH=sandbox.folder / f"{name}-stats",
                  VERVE_CALLBACKS_MAX_QUEUE=1000000 if name == "new"
                  else 7).start()
    wait_for(responder, "configuration-differs", "warning")
    page = look(responder)
    assert len([finding for finding in page["findings"]
                if finding["code"] == "configuration-differs"]) == 1


def test_each_finding_is_documented():
    source = (ROOT / "fcgi-app" / "status_judge.c").read_text()
    found = set(re.findall(r'(?:DOWN|WARNING|NOTE),\s+"([a-z-]+)"', source)) | \
        set(re.findall(r'^    \{"([a-z-]+)", "', source, re.M))
    document = (ROOT / "docs" / "status.md").read_text()
    assert set(re.findall(r"^\| `([a-z-]+)` \| \w+ \|", document, re.M)) == \
        found
