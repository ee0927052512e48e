"""The Kinesis sink: a record for each window, in order, with a signature that
an independent verifier accepts; throttled, refused, and with a wrong clock."""

import re
import time

import pytest
from harness import botocore
from harness.kinesis import (ACCESS_KEY, REGION, SECRET_KEY, FakeKinesis,
                             Kinesalite, settings)
from harness.preload import faketime
from harness.receiver import Answer
from harness.reporter import Reporter
from harness.sandbox import free_port
from harness.settings import REPORTER
from harness.wait import wait_until

WINDOW_S = 1
SETTINGS = {"VERVE_WINDOW_SECONDS": WINDOW_S}
NAME = "kinesis:unique-request-count"


@pytest.fixture
def kinesis(sandbox):
    fake = FakeKinesis()
    sandbox.on_close(fake.close)
    return fake


@pytest.fixture
def reporter(sandbox, redis, kinesis):
    return Reporter(sandbox, redis, **settings(kinesis.url())).start()


def test_each_window_is_a_record(redis, kinesis, expected, reporter):
    last = expected.send(1, 2, 2)
    expected.check(kinesis.wait_reported(last))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last))
    assert dict(kinesis.records())[stamp].decode() == (
        '{"unique_request_count":%d,"window_start":"%s","window_seconds":1,'
        '"late":false}' % (expected.count(last), stamp))
    assert kinesis.problems == []
    request = kinesis.received[-1]
    assert request.method == "POST"
    assert request.headers["x-amz-target"] == "Kinesis_20131202.PutRecord"
    assert request.headers["content-type"] == "application/x-amz-json-1.1"
    assert set(request.headers) == {
        "accept", "authorization", "content-length", "content-type", "host",
        "user-agent", "x-amz-date", "x-amz-target"}
    assert kinesis.connections == 1  # kept
    wait_until(lambda: int(redis("HGET", f"verve:sink:{NAME}", "cursor")
                           or 0) >= last, "the cursor follows")


def test_what_comes_unasked_is_no_answer(kinesis, expected, reporter):
    """On a kept connection, between two records."""
    unasked = kinesis.answer(200, {"SequenceNumber": "0",
                                   "ShardId": "shardId-000000000000"})
    for number in range(3):
        kinesis.wait_reported(expected.send(number))
        kinesis.interject(b"".join(unasked.pieces()))
    expected.check(kinesis.wait_reported(expected.send(7)))
    assert kinesis.connections >= 4
    assert "trying again" not in reporter.process.output()


def test_a_session_token_is_sent_and_signed(sandbox, redis, kinesis, expected):
    """The token is sent and signed, which the verifier checks."""
    Reporter(sandbox, redis, **settings(kinesis.url()),
             AWS_SESSION_TOKEN="IQoJb3JpZ2lu/+=").start()
    expected.check(kinesis.wait_reported(expected.send(1)))
    assert kinesis.received[-1].headers["x-amz-security-token"] == \
        "IQoJb3JpZ2lu/+="
    assert kinesis.problems == []


@pytest.mark.parametrize("token", [None, "IQoJb3JpZ2lu/+=" * 100],
                         ids=["own", "lent"])
def test_botocore_signs_the_same(sandbox, redis, kinesis, expected, token):
    more = {"AWS_SESSION_TOKEN": token} if token else {}
    Reporter(sandbox, redis, **settings(kinesis.url()), **more).start()
    kinesis.wait_reported(expected.send(1))
    request = kinesis.received[-1]
    assert request.headers["authorization"] == botocore.authorization(
        method="POST", url=kinesis.url(), headers={
            name: request.headers[name]
            for name in ("host", "content-type", "x-amz-target")},
        body=request.body.decode(), stamp=request.headers["x-amz-date"],
        region=REGION, service="kinesis", access_key=ACCESS_KEY,
        secret_key=SECRET_KEY, token=token)


@pytest.mark.parametrize("endpoint,host", [
    ("http://kinesis.test", "kinesis.test"),
    ("http://kinesis.test:80/", "kinesis.test"),
    ("http://kinesis.test:443/", "kinesis.test:443"),
    ("http://[::1]:4567/", "[::1]:4567"),
])
def test_the_host_is_sent_once_as_it_was_signed(sandbox, redis, receiver,
                                                endpoint, host):
    """The header is sent once, as it was signed. A proxy gets the requests for
    any host and port."""
    Reporter(sandbox, redis, **settings(endpoint),
             http_proxy=receiver.url()).start()
    request = receiver.wait_count(1)[0]
    assert request.headers["host"] == host
    assert not request.doubled


def test_throttling_and_faults_lose_nothing(kinesis, expected, reporter):
    kinesis.fail((400, "ProvisionedThroughputExceededException"),
                 (500, "InternalFailure"), (503, "ServiceUnavailable"))
    expected.send(1, 2)
    expected.check(kinesis.wait_reported(expected.send(3)))
    output = reporter.process.output()
    assert f"{NAME}: HTTP 400 ProvisionedThroughputExceeded" in output
    assert output.count("trying again") == 3  # one line for each reason
    reporter.process.wait_output(f"{NAME}: works again")


def test_a_refused_record_holds_the_cursor(redis, kinesis, expected, reporter):
    """It is logged once a minute, the cursor stays, and the file sink goes on.
    After HUP the sink tries at once."""
    kinesis.wait_reported(expected.send(1))
    kinesis.fail(*[(400, "AccessDeniedException")] * 3)
    reporter.process.wait_output("HTTP 400 AccessDenied")
    stuck = redis("HGET", f"verve:sink:{NAME}", "cursor")
    taken = len(kinesis.taken)
    expected.check(reporter.wait_reported(expected.send(1, 2)))
    time.sleep(2 * WINDOW_S)
    assert redis("HGET", f"verve:sink:{NAME}", "cursor") == stuck
    assert len(kinesis.taken) == taken
    assert reporter.process.output().count("AccessDenied") == 1
    kinesis.fail()
    reporter.process.hup()
    expected.check(kinesis.wait_reported(expected.send(3)))


def test_a_wrong_key_is_logged(sandbox, redis, kinesis):
    reporter = Reporter(sandbox, redis, **settings(kinesis.url()))
    reporter.settings["AWS_SECRET_ACCESS_KEY"] += "x"
    reporter.start()
    reporter.process.wait_output(
        f"{NAME}: HTTP 403 InvalidSignatureException: no")
    assert kinesis.records() == []


def test_an_answer_of_something_else_delivers_nothing(kinesis, expected,
                                                      reporter):
    """A 200 that is not by Kinesis, but by a proxy, say, delivers nothing."""
    kinesis.scripts["/"] = [Answer(200, body=b"<html>hello</html>")]
    expected.send(1)
    reporter.process.wait_output("its answer is not Kinesis's")
    kinesis.fail()
    reporter.process.hup()
    expected.check(kinesis.wait_reported(expected.send(2)))


def test_the_status_of_an_answer_without_end_is_logged(kinesis, expected,
                                                       reporter):
    """Its body cannot be read, so that it may be Kinesis's or not."""
    stored = b'{"SequenceNumber":"1","ShardId":"shardId-000000000000"}'
    kinesis.scripts["/"] = [Answer(200, {"Transfer-Encoding": "bogus"}, stored)]
    expected.send(1)
    reporter.process.wait_output(f"{NAME}: HTTP 200: ")
    kinesis.fail()
    expected.check(kinesis.wait_reported(expected.send(2)))


def test_windows_are_sent_after_kinesis_was_away(sandbox, redis, expected):
    port = free_port()
    reporter = Reporter(sandbox, redis,
                        **settings(f"http://127.0.0.1:{port}")).start()
    expected.check(reporter.wait_reported(expected.send(1, 2)))
    # libcurl's words: "Couldn't", and "Could not" since 8.
    wait_until(lambda: re.search(f"{NAME}: Could.* connect",
                                 reporter.process.output()), "it is said")
    kinesis = FakeKinesis(port)
    sandbox.on_close(kinesis.close)
    expected.check(kinesis.wait_reported(expected.send(3)))


@pytest.mark.parametrize("offset_s", [-3600, 3600])
def test_a_clock_an_hour_off_is_corrected(sandbox, redis, kinesis, expected,
                                          offset_s):
    """AWS refuses signatures with a wrong time, and sends its own."""
    reporter = Reporter(sandbox, redis, **settings(kinesis.url()),
                        **faketime(offset_s)).start()
    expected.check(kinesis.wait_reported(expected.send(1, 2)))
    assert kinesis.problems == ["InvalidSignatureException"]
    reporter.process.wait_output("works again")


def test_a_signature_that_fails_is_logged(sandbox, redis, kinesis):
    """OpenSSL may only use FIPS algorithms, and has none."""
    config = sandbox.folder / "openssl.cnf"
    config.write_text("openssl_conf = start\n[start]\nalg_section = algorithms\n"
                      "[algorithms]\ndefault_properties = fips=yes\n",
                      encoding="ascii")
    reporter = Reporter(sandbox, redis, **settings(kinesis.url()),
                        OPENSSL_CONF=config).start()
    wait_until(lambda: f"{NAME}: cannot sign the request: unsupported"
               in reporter.process.output(), "the reason is logged")
    assert kinesis.received == []


def test_a_date_that_cannot_be_signed_is_ignored(kinesis, expected, reporter):
    """The year of X-Amz-Date has four digits: AWS sends no other time."""
    kinesis.scripts["/"] = [Answer(500, {
        "Date": "Fri, 01 Jan 99999 00:00:00 GMT"}), None]
    expected.send(1)
    expected.check(kinesis.wait_reported(expected.send(2)))
    assert kinesis.problems == []


def test_kinesalite_gets_every_window(sandbox, redis, expected):
    kinesalite = Kinesalite(sandbox)
    Reporter(sandbox, redis, **settings(kinesalite.url)).start()
    expected.send(1, 2)
    expected.check(kinesalite.wait_reported(expected.send(3, 4)))


@pytest.mark.parametrize("change,words", [
    ({"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID"),
    ({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY"),
    ({"VERVE_KINESIS_ENDPOINT": "ftp://h/"}, "kinesis.endpoint: "),
    ({"VERVE_KINESIS_ENDPOINT": "h:1:2"}, "kinesis.endpoint: "),
    ({"VERVE_KINESIS_ENDPOINT": "http://h/path"}, "kinesis.endpoint: "),
    ({"VERVE_KINESIS_ENDPOINT": "http://h/?query"}, "kinesis.endpoint: "),
    ({"VERVE_KINESIS_ENDPOINT": "http://h/#part"}, "kinesis.endpoint: "),
    ({"VERVE_KINESIS_ENDPOINT": "http://user:word@h/"}, "kinesis.endpoint: "),
    ({"VERVE_KINESIS_ENDPOINT": "http://h\u00e9/"}, "kinesis.endpoint: "),
    ({"AWS_ACCESS_KEY_ID": "AKID\nX: y"}, "AWS_ACCESS_KEY_ID has a blank"),
    ({"AWS_SECRET_ACCESS_KEY": "secret\n"}, "AWS_SECRET_ACCESS_KEY has a"),
    ({"AWS_SESSION_TOKEN": "to\r\nX: y"}, "AWS_SESSION_TOKEN has a blank"),
    ({"AWS_SESSION_TOKEN": "t\u00e9"}, "AWS_SESSION_TOKEN has a blank"),
    ({"VERVE_KINESIS_REGION": "EU.x"}, "VERVE_KINESIS_REGION"),
    ({"VERVE_KINESIS_STREAM": "a/b"}, "VERVE_KINESIS_STREAM"),
])
@pytest.mark.parametrize("flags", [["-t"], []])
def test_bad_settings_are_refused(sandbox, change, words, flags):
    process = sandbox.start("reporter", [REPORTER, *flags],
                            {**settings("http://h/"), **change})
    assert process.wait() == 100
    assert words in process.output()
