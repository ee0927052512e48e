"""The export of traces: what an OTLP receiver gets, and that a receiver that
misbehaves holds up no callback and loses no more than it must."""

import json
import socket
import subprocess
import time

import pytest
from harness.edge import right_clock
from harness.load import accept
from harness.metrics import Scrape
from harness.otlp import REQUEST, Otlp, attributes, check, unused_url
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
BATCH = 512  # so many spans are sent at once
QUEUE = 2048


@pytest.fixture
def otlp(sandbox):
    otlp = Otlp()
    sandbox.on_close(otlp.close)
    return otlp


def start(sandbox, redis, url, **settings):
    return Reporter(sandbox, redis, VERVE_OTLP_ENDPOINT=url, **settings).start()


def queue_traced(redis, receiver, count, number=0):
    """Jobs without the time of their acceptance: each makes one span."""
    queue_for(redis, receiver.url(), [json.dumps(
        {"v": 1, "id": f"{number}-{n}", "url": receiver.url(), "window": 60,
         "count": 1, "tp": PARENT}) for n in range(count)])


def outcomes(scrape):
    """How many spans were exported, rejected and dropped."""
    found = scrape()
    return [found[f'verve_otlp_spans_total{{outcome="{outcome}"}}']
            for outcome in ("exported", "rejected", "dropped")]


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


@right_clock
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


def sent_as(number):
    """The names of the jobs of a request."""
    return {f"{number}-{n}" for n in range(BATCH)}


def names(request):
    """The same, as received."""
    return {attributes(span["attributes"])["verve.job.id"] for span in
            request["resourceSpans"][0]["scopeSpans"][0]["spans"]}


def wait_for_all_spans(otlp, number, seen, least=1):
    """The requests from `seen` on, once they are so many and have all spans of
    these jobs, and no other spans. On a slow machine it is more than one."""
    def found():
        requests = otlp.requests[seen:]
        return len(requests) >= least and \
            set().union(*map(names, requests)) == sent_as(number) and requests
    return wait_until(found, f"the spans of {number}", SLACK_S)


MAY_PASS = {"429": 429, "502": 502, "503": 503, "504": 504, "closes": close,
            "garbage": garbage}


def test_what_may_pass_is_sent_again(sandbox, redis, receiver, otlp):
    scrape = Scrape()
    reporter = start(sandbox, redis, otlp.url, **scrape.settings)
    steps = []  # lists of requests
    for number, answer in enumerate(MAY_PASS.values()):
        otlp.answers = [answer, 200]
        queue_traced(redis, receiver, BATCH, number)
        steps.append(wait_for_all_spans(otlp, number, sum(map(len, steps)), 2))
    wait_until(lambda: is_settled(redis), "all are delivered")
    assert not otlp.problems
    for (first, again, *others), name in zip(steps, MAY_PASS):
        assert first == again, name
        assert sum(map(len, map(names, [first, *others]))) == BATCH, name
    wait_until(lambda: outcomes(scrape) == [BATCH * len(MAY_PASS), 0, 0],
               "the last is counted")
    output = reporter.process.output()
    assert "traces: HTTP 429; trying again" in output
    assert "traces: works again" in output


def test_retry_after_is_obeyed(sandbox, redis, receiver, otlp):
    start(sandbox, redis, otlp.url)
    times = []

    def note(status):
        def answer(handler):
            times.append(time.monotonic())
            handler.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n"
                                % status)
        return answer
    otlp.answers = [note(b"429 Too Many Requests\r\nRetry-After: 4"),
                    note(b"200 OK")]
    queue_traced(redis, receiver, BATCH)
    wait_until(lambda: len(times) == 2, "it is sent again", SLACK_S)
    assert times[1] - times[0] >= 3.9


def partial(rejected):
    return 200, {}, json.dumps({"partialSuccess": {
        "rejectedSpans": rejected, "errorMessage": "too old\nforged"}}).encode()


WILL_NOT_PASS = {  # with the number of spans that count as rejected
    "400": (400, BATCH), "401": (401, BATCH), "404": (404, BATCH),
    "413": (413, BATCH), "500": (500, BATCH), "301": (301, BATCH),
    "no JSON": ((200, {}, b"\xff{]"), 0),
    "no object": ((200, {}, b'{"partialSuccess":7}'), 0),
    "deep": ((200, {}, b"[" * 60000), 0),
    "flood": (flood, 0),
    "partial": (partial("3"), 3),
    "partial, a number": (partial(2), 2),
    "partial, negative": (partial("-9"), 0),
    "partial, all and more": (partial("99999999999999999999"), BATCH),
    "drip": (drip, 0),
    "204": ((204, {}, b""), 0)}


def test_what_will_not_pass_is_not_sent_again(sandbox, redis, receiver, otlp):
    """A status of 2xx is taken for delivery, whatever the body is."""
    scrape = Scrape()
    reporter = start(sandbox, redis, otlp.url, **scrape.settings)
    seen = rejected = 0
    for number, (name, (answer, more)) in enumerate(WILL_NOT_PASS.items()):
        otlp.answers = [answer]
        queue_traced(redis, receiver, BATCH, number)
        requests = wait_for_all_spans(otlp, number, seen)
        assert sum(map(len, map(names, requests))) == BATCH
        seen += len(requests)
        rejected += more if more in (0, BATCH) else more * len(requests)
        wanted = [BATCH * (number + 1) - rejected, rejected, 0]
        wait_until(lambda: outcomes(scrape) == wanted,
                   f"{name}: {wanted}, not {outcomes(scrape)}", SLACK_S)
    assert len(otlp.requests) == seen
    output = reporter.process.output()
    assert "traces: the receiver refuses spans: HTTP 400" in output
    assert "the receiver rejected spans: too old" in output
    assert "\nforged" not in output


@pytest.mark.parametrize("answer", [hang, drip_head, None],
                         ids=["hangs", "drips", "is away"])
def test_callbacks_go_on_and_the_queue_is_bounded(sandbox, redis, receiver,
                                                  otlp, answer):
    """2,048 spans are kept; the reporter ends in time."""
    otlp.answers = [answer]
    url = otlp.url if answer else unused_url()
    scrape = Scrape()
    # So long that a slow machine makes no second attempts.
    reporter = start(sandbox, redis, url, VERVE_CALLBACKS_TIMEOUT_MS=50000,
                     VERVE_CALLBACKS_LEASE_S=120, **scrape.settings)
    started = time.monotonic()
    queue_traced(redis, receiver, 3000)
    wait_until(lambda: is_settled(redis), "all are delivered", SLACK_S)
    took = time.monotonic() - started
    assert len(receiver.received) == 3000
    assert len(redis("KEYS", list_of(receiver.url()))) == 0
    reporter.process.wait_output("traces: the queue is full", SLACK_S)
    output = reporter.process.output()
    assert output.count("traces: the queue is full") == 1
    wait_until(lambda: outcomes(scrape) == [0, 0, 3000 - QUEUE],
               "the others are dropped")
    started = time.monotonic()
    assert reporter.term(SLACK_S) == 0
    assert "spans are lost, as the reporter ends" in reporter.process.output()
    assert time.monotonic() - started < 5 + took


def test_many_spans_come_in_batches(sandbox, redis, receiver, otlp):
    """While a request is not answered, the spans gather."""
    def late(handler):
        receiver.wait_count(1500, seconds=SLACK_S)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    otlp.answers = [late, 200]
    # So long that a slow machine makes no second attempts.
    start(sandbox, redis, otlp.url, VERVE_CALLBACKS_TIMEOUT_MS=50000,
          VERVE_CALLBACKS_LEASE_S=120)
    queue_traced(redis, receiver, 1500)
    spans = otlp.wait_spans(1500, SLACK_S)
    assert len({span["spanId"] for span in spans}) == 1500
    sizes = [len(request["resourceSpans"][0]["scopeSpans"][0]["spans"])
             for request in otlp.requests]
    assert max(sizes) == BATCH


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
