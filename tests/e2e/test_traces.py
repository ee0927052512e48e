"""The headers of a trace: from the request into the job, and with the callback
to the receiver."""

import json

import pytest
from harness.http import fetch
from harness.load import accept
from harness.queue import LIST, is_settled, waiting
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.servers import every_server
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, **QUICK_CALLBACKS}

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
STATE = 'rojo=00f067aa0ba902b7,congo="t61\\'
HEADERS = ("traceparent", "tracestate", "x-request-id")


def ask(web, number, endpoint, **headers):
    answer = fetch(web.port, accept(number, endpoint), headers={
        name.replace("_", "-"): value for name, value in headers.items()})
    assert (answer.status, answer.body) == (200, b"ok"), answer


def sent(got):
    return {name: got.headers[name] for name in HEADERS if name in got.headers}


@every_server
def test_the_trace_goes_along(sandbox, redis, web, reporter, receiver):
    """And the signature and the body are those of a callback without."""
    receiver.respond("/again", 500, 200)
    ask(web, 1, receiver.url("/once"), Traceparent=PARENT, Tracestate=STATE,
        X_Request_Id='f058"\\')
    ask(web, 2, receiver.url("/again"), Traceparent=PARENT[:-2] + "00")
    ask(web, 3, receiver.url("/none"))
    ask(web, 4, receiver.url("/id"), X_Request_Id="7", Traceparent="00-x",
        Tracestate="a=1")
    (once,) = receiver.wait_count(1, "/once")
    version, trace, span, flags = once.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert len(span) == 16 and span not in (SPAN, "0" * 16)
    assert once.headers["tracestate"] == STATE
    assert once.headers["x-request-id"] == 'f058"\\'
    assert once.body == b'{"unique_request_count": 1}'
    again = receiver.wait_count(2, "/again")
    parents = [got.headers["traceparent"].split("-") for got in again]
    assert [(parent[1], parent[3]) for parent in parents] == [(TRACE, "00")] * 2
    assert parents[0][2] != parents[1][2], "each attempt is a span of its own"
    assert all("tracestate" not in got.headers for got in again)
    assert sent(receiver.wait_count(1, "/none")[0]) == {}
    assert sent(receiver.wait_count(1, "/id")[0]) == {"x-request-id": "7"}
    lines = wait_until(lambda: len(found := reporter.callbacks()) == 5 and
                       found, "all attempts are logged")
    traces = {}
    for line in lines:
        traces.setdefault(line["count"], []).append(line.get("trace"))
        assert list(line)[-1] == ("trace" if "trace" in line else "next")
    assert traces == {"1": [TRACE], "2": [TRACE, TRACE], "3": [None],
                      "4": [None]}


def test_a_get_has_the_trace_too(sandbox, redis, responder, receiver):
    Reporter(sandbox, redis, VERVE_CALLBACKS_METHOD="GET").start()
    responder.ask(accept(1, receiver.url("/")), HTTP_TRACEPARENT=PARENT,
                  HTTP_X_REQUEST_ID="r")
    (got,) = receiver.wait_count(1)
    assert got.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert got.headers["x-request-id"] == "r"
    assert "content-type" not in got.headers


@every_server
@pytest.mark.parametrize("headers", [
    {"Traceparent": f"ff-{TRACE}-{SPAN}-01"},
    {"Traceparent": f"00-{TRACE.upper()}-{SPAN}-01"},
    {"Traceparent": PARENT + "-x", "Tracestate": "a=1"},
    {"Tracestate": "a=1"},
    {"X-Request-Id": "x" * 65},
    {"X-Request-Id": "a b"},
    {"X-Request-Id": "\xe9"},
], ids=str)
def test_a_malformed_header_counts_as_absent(shared_web, shared_redis,
                                             headers):
    shared_redis("FLUSHALL")
    answer = fetch(shared_web.port, accept(1, "http://a.example/"),
                   headers=headers)
    assert (answer.status, answer.body) == (200, b"ok")
    ((_, job),) = waiting(shared_redis)
    assert not {"tp", "ts", "rid"} & set(job)


def test_what_a_request_can_put_into_the_queue(redis, responder):
    """No header makes a job longer than its limit, and a request without an
    endpoint puts nothing there."""
    longest = "a=" + "x" * 250 + ",b=" + "\\" * 250
    responder.ask(accept(1), HTTP_TRACEPARENT=PARENT)
    assert waiting(redis) == []
    responder.ask(accept(2, "http://a.example/"), HTTP_TRACEPARENT=PARENT,
                  HTTP_TRACESTATE=longest, HTTP_X_REQUEST_ID='"' * 64)
    ((_, job),) = waiting(redis)
    assert (job["tp"], job["ts"], job["rid"]) == (PARENT, longest, '"' * 64)
    redis("FLUSHALL")
    responder.ask(accept(3, "http://a.example/"), HTTP_TRACEPARENT=PARENT,
                  HTTP_TRACESTATE="a=1," * 2000, HTTP_X_REQUEST_ID="x" * 9000)
    ((_, job),) = waiting(redis)
    assert {"tp", "ts", "rid"} & set(job) == {"tp"}
    redis("FLUSHALL")
    # A callback of ours queues nothing, and so carries nothing.
    responder.ask(accept(4, "http://a.example/"), HTTP_TRACEPARENT=PARENT,
                  HTTP_VERVE_CALLBACK="1")
    assert waiting(redis) == []


def test_a_job_written_by_hand_injects_no_header(redis, reporter, receiver):
    evil = "\r\nX-Evil: 1"
    redis("RPUSH", LIST, json.dumps(
        {"v": 1, "id": "a", "url": receiver.url(), "window": 60, "count": 1,
         "tp": PARENT + evil, "ts": "a=1" + evil, "rid": "r" + evil}))
    (got,) = receiver.wait_count(1)
    assert sent(got) == {} and "x-evil" not in got.headers
    wait_until(lambda: is_settled(redis), "it is delivered")
