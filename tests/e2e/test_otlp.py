"""The export of traces: what an OTLP receiver gets, and that a receiver that
misbehaves holds up no callback and loses no more than it must."""

import json
import socket
import subprocess
import time

import pytest
from harness.load import accept
from harness.otlp import REQUEST, Otlp, check, unused_url
from harness.queue import DEAD, LIST, is_settled, list_of, queue_for
from harness.receiver import Answer
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.settings import REPORTER
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, **QUICK_CALLBACKS}
SLACK_S = 60.0

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
INTERNAL, SERVER, CLIENT = 1, 2, 3
ERROR = 2


@pytest.fixture
def otlp(sandbox):
    otlp = Otlp()
    sandbox.on_close(otlp.close)
    return otlp


def start(sandbox, redis, url, **settings):
    return Reporter(sandbox, redis, VERVE_OTLP_ENDPOINT=url, **settings).start()


def queue_traced(redis, receiver, count):
    """Jobs without the time of their acceptance: each makes one span."""
    queue_for(redis, receiver.url(), [json.dumps(
        {"v": 1, "id": f"j{n}", "url": receiver.url(), "window": 60,
         "count": 1, "tp": PARENT}) for n in range(count)])


def test_the_check_knows_the_published_example():
    """examples/trace.json of opentelemetry-proto. There are no ids of small
    letters there, and times are numbers, as OTLP allows."""
    example = {"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {
            "stringValue": "my.service"}}]},
        "scopeSpans": [{
            "scope": {"name": "my.library", "version": "1.0.0", "attributes": [
                {"key": "my.scope.attribute", "value": {
                    "stringValue": "some scope attribute"}}]},
            "spans": [{
                "traceId": "5b8efff798038103d269b633813fc60c",
                "spanId": "eee19b7ec3c1b174",
                "parentSpanId": "eee19b7ec3c1b173",
                "name": "I'm a server span",
                "startTimeUnixNano": "1544712660000000000",
                "endTimeUnixNano": "1544712661000000000",
                "kind": 2,
                "attributes": [{"key": "my.span.attr", "value": {
                    "stringValue": "some value"}}]}]}]}]}
    check(example, REQUEST)
    example["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["kind"] = "2"
    with pytest.raises(AssertionError):
        check(example, REQUEST)


def test_the_spans_of_a_callback(sandbox, redis, responder, receiver, otlp):
    reporter = start(sandbox, redis, otlp.url + "/")
    receiver.respond("/hook", 500, 200)
    before_ns = time.time_ns() // 1_000_000 * 1_000_000
    responder.ask(accept(7, receiver.url("/hook?secret=1")),
                  HTTP_TRACEPARENT=PARENT, HTTP_TRACESTATE="a=1")
    responder.ask(accept(8, receiver.url("/unsampled")),
                  HTTP_TRACEPARENT=PARENT[:-1] + "0")
    responder.ask(accept(9, receiver.url("/none")), HTTP_X_REQUEST_ID="r")
    calls = receiver.wait_count(2, "/hook")
    receiver.wait_count(4)
    accepted, queued, first, second = otlp.wait_spans(4)
    spans = [accepted, queued, first, second]
    assert {span["traceId"] for span in spans} == {TRACE}
    assert {span["traceState"] for span in spans} == {"a=1"}
    assert len({span["spanId"] for span in spans}) == 4
    assert [span["kind"] for span in spans] == [SERVER, INTERNAL, CLIENT,
                                                CLIENT]
    assert [span["name"] for span in spans] == ["verve accept", "verve queue",
                                                "POST", "POST"]
    assert [span["parentSpanId"] for span in spans] == \
        [SPAN] + [accepted["spanId"]] * 3
    assert [call.headers["traceparent"] for call in calls] == \
        [f"00-{TRACE}-{span['spanId']}-01" for span in (first, second)]

    times = [(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
             for span in spans]
    assert before_ns <= times[0][0] == times[0][1] == times[1][0]
    assert times[1][1] == times[2][0] <= times[2][1] <= times[3][0]
    assert times[3][0] <= times[3][1] <= time.time_ns() + 10 ** 9

    job = calls[0].headers["webhook-id"]
    server = {"server.address": "127.0.0.1", "server.port": receiver.port,
              "http.request.method": "POST", "verve.job.id": job,
              "url.full": receiver.url("/hook")}
    assert accepted["attributes"] == {
        "http.route": "/api/verve/accept", "verve.job.id": job,
        "verve.unique_request_count": 1}
    assert queued["attributes"] == {"verve.job.id": job}
    assert first["attributes"] == {
        **server, "http.response.status_code": 500, "error.type": "500"}
    assert second["attributes"] == {
        **server, "http.response.status_code": 200,
        "http.request.resend_count": 1}
    assert [span.get("status") for span in spans] == \
        [None, None, {"code": ERROR}, None]
    assert first["resource"]["service.name"] == "verve"
    assert first["resource"]["service.instance.id"].endswith(
        f":{reporter.worker()}")
    assert len(otlp.spans()) == 4


def test_attempts_without_a_response_and_old_jobs(sandbox, redis, receiver,
                                                  otlp):
    """A job without `at` has no span but its attempts; they belong to the
    client's span. The full URL is taken as it is."""
    start(sandbox, redis, otlp.url + "/v1/traces",
          VERVE_CALLBACKS_RETRY_DELAYS_S="", VERVE_CALLBACKS_METHOD="GET")
    receiver.respond("/hook", Answer(0))
    for number, url in enumerate((receiver.url("/hook"),
                                  "http://no-such-name.invalid/x")):
        redis("RPUSH", LIST, json.dumps(
            {"v": 1, "id": f"old{number}", "url": url, "window": 60,
             "count": 1, "tp": PARENT}))
    spans = {span["attributes"]["verve.job.id"]: span
             for span in otlp.wait_spans(2)}
    wait_until(lambda: redis("LLEN", DEAD) == 2, "both are dead", SLACK_S)
    assert {span["parentSpanId"] for span in spans.values()} == {SPAN}
    assert {span["name"] for span in spans.values()} == {"GET"}
    assert spans["old0"]["attributes"]["error.type"] == "reset"
    assert spans["old1"]["attributes"]["error.type"] == "resolve"
    assert spans["old1"]["attributes"]["server.address"] == \
        "no-such-name.invalid"
    assert spans["old1"]["attributes"]["server.port"] == 80
    assert all("http.response.status_code" not in span["attributes"]
               for span in spans.values())


def drip(handler):
    """A response that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(300):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def drip_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(300):
        handler.wfile.write(b"X: y\r\n")
        handler.wfile.flush()
        time.sleep(0.1)


def flood(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000)
    handler.close_connection = True


def garbage(handler):
    handler.wfile.write(b"\x16\x03\x01 nothing of HTTP\r\n\r\n" * 100)
    handler.close_connection = True


def close(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang(_):
    time.sleep(30)


@pytest.mark.parametrize("answer,message", [
    (429, "HTTP 429"), (502, "HTTP 502"), (503, "HTTP 503"), (504, "HTTP 504"),
    (close, "traces: "), (garbage, "traces: ")],
    ids=["429", "502", "503", "504", "closes", "garbage"])
def test_what_may_pass_is_sent_again(sandbox, redis, receiver, otlp, answer,
                                     message):
    reporter = start(sandbox, redis, otlp.url)
    otlp.answers = [answer, answer, 200]
    queue_traced(redis, receiver, 1)
    otlp.wait_requests(3, SLACK_S)
    reporter.process.wait_output("traces: works again", SLACK_S)
    output = reporter.process.output()
    assert message in output and "; trying again" in output
    spans = otlp.spans()
    assert len(spans) == 3 and len({span["spanId"] for span in spans}) == 1
    assert is_settled(redis) and len(receiver.received) == 1


def test_retry_after_is_obeyed(sandbox, redis, receiver, otlp):
    start(sandbox, redis, otlp.url)
    times = []
    otlp.answers = [lambda handler: (
        times.append(time.monotonic()), handler.wfile.write(
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n"
            b"Content-Length: 0\r\n\r\n")),
        lambda handler: (times.append(time.monotonic()), handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))]
    queue_traced(redis, receiver, 1)
    wait_until(lambda: len(times) == 2, "it is sent again", SLACK_S)
    assert times[1] - times[0] >= 4.9


@pytest.mark.parametrize("answer", [400, 401, 404, 413, 500, 301, drip, flood,
                                    (200, {}, b"\xff{]"),
                                    (200, {}, b'{"partialSuccess":7}'),
                                    (200, {}, b"[" * 60000)], ids=[
    "400", "401", "404", "413", "500", "301", "drip", "flood", "no-json",
    "no-object", "deep"])
def test_what_will_not_pass_is_not_sent_again(sandbox, redis, receiver, otlp,
                                              answer):
    """A status of 2xx is taken for delivery, whatever the body is."""
    reporter = start(sandbox, redis, otlp.url)
    otlp.answers = [answer, 200]
    queue_traced(redis, receiver, 1)
    otlp.wait_requests(1, SLACK_S)
    wait_until(lambda: is_settled(redis), "the callback is delivered")
    queue_for(redis, receiver.url("/2"), [json.dumps(
        {"v": 1, "id": "next", "url": receiver.url("/2"), "window": 60,
         "count": 1, "tp": PARENT})])
    otlp.wait_requests(2, SLACK_S)
    assert [span["attributes"]["verve.job.id"] for span in otlp.spans()] == \
        ["j0", "next"]
    refused = isinstance(answer, int)
    assert (f"traces: HTTP {answer}; trying again" in
            reporter.process.output()) == refused


def test_a_partial_success_is_logged(sandbox, redis, receiver, otlp):
    reporter = start(sandbox, redis, otlp.url)
    otlp.answers = [(200, {}, json.dumps({"partialSuccess": {
        "rejectedSpans": "1", "errorMessage": "too old\nforged"}}).encode()),
        200]
    queue_traced(redis, receiver, 1)
    reporter.process.wait_output("the receiver rejected spans", SLACK_S)
    assert "\nforged" not in reporter.process.output()
    time.sleep(0.2)
    assert len(otlp.requests) == 1


@pytest.mark.parametrize("answer", [hang, drip_head, None],
                         ids=["hangs", "drips", "is away"])
def test_callbacks_go_on_and_the_queue_is_bounded(sandbox, redis, receiver,
                                                  otlp, answer):
    """2,048 spans are kept; the reporter ends in time."""
    otlp.answers = [answer]
    url = otlp.url if answer else unused_url()
    reporter = start(sandbox, redis, url)
    started = time.monotonic()
    queue_traced(redis, receiver, 3000)
    wait_until(lambda: is_settled(redis), "all are delivered", SLACK_S)
    took = time.monotonic() - started
    assert len(receiver.received) == 3000
    assert len(redis("KEYS", list_of(receiver.url()))) == 0
    reporter.process.wait_output("traces: the queue is full", SLACK_S)
    output = reporter.process.output()
    assert output.count("traces: the queue is full") == 1
    started = time.monotonic()
    assert reporter.term(SLACK_S) == 0
    assert "spans are lost, as the reporter ends" in reporter.process.output()
    assert time.monotonic() - started < 5 + took


def test_many_spans_come_in_batches(sandbox, redis, receiver, otlp):
    start(sandbox, redis, otlp.url)
    queue_traced(redis, receiver, 1500)
    spans = otlp.wait_spans(1500, SLACK_S)
    assert len({span["spanId"] for span in spans}) == 1500
    sizes = [len(request["resourceSpans"][0]["scopeSpans"][0]["spans"])
             for request in otlp.requests]
    assert max(sizes) == 512


def test_what_is_left_is_sent_at_the_end(sandbox, redis, receiver, otlp):
    reporter = start(sandbox, redis, otlp.url)
    queue_traced(redis, receiver, 3)
    receiver.wait_count(3)
    assert reporter.term() == 0
    assert len(otlp.spans()) == 3
    assert "lost" not in reporter.process.output()


def test_the_address_policy_and_the_proxy_do_not_matter(sandbox, redis,
                                                        receiver, otlp):
    """callbacks.allow guards callbacks; the receiver is the operator's
    choice."""
    start(sandbox, redis, otlp.url, VERVE_CALLBACKS_ALLOW="",
          VERVE_CALLBACKS_RETRY_DELAYS_S="", http_proxy=unused_url(),
          HTTP_PROXY=unused_url(), ALL_PROXY=unused_url())
    queue_traced(redis, receiver, 1)
    (span,) = otlp.wait_spans(1)
    assert span["attributes"]["error.type"] == "refused"
    assert receiver.received == []


@pytest.mark.parametrize("value", [
    "127.0.0.1:4318", "ftp://h/", "http://", "http://u:p@h/", "http://h/?a=b",
    "http://h/#f", "http://h:0/", "grpc://h:4317", "http://h h/"])
def test_a_wrong_endpoint_is_refused(sandbox, value):
    done = subprocess.run(
        [REPORTER, "-t"], capture_output=True, text=True, check=False,
        env=sandbox.environment({"VERVE_OTLP_ENDPOINT": value}))
    assert done.returncode == 100
    assert f'otlp.endpoint: "{value}" is no URL http://' in done.stderr
