"""Where the credentials of the Kinesis sink come from, and that they are read
anew: on HUP, if AWS does not know them, and before they expire."""

import time

import pytest
from harness import aws
from harness.aws import Container, Instance, Sts, credentials, keys
from harness.kinesis import FakeKinesis, settings
from harness.receiver import Answer
from harness.reporter import Reporter
from harness.settings import REPORTER
from harness.sigv4 import access_key
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 1}
NAME = "kinesis:unique-request-count"
# The time for a second try, without the wait of 15 s after a refusal.
SOON_S = 12.0


@pytest.fixture
def kinesis(sandbox):
    fake = FakeKinesis()
    sandbox.on_close(fake.close)
    return fake


def open_endpoint(sandbox, kind):
    endpoint = kind()
    sandbox.on_close(endpoint.close)
    return endpoint


def start(sandbox, redis, kinesis, more):
    return Reporter(sandbox, redis, **{**settings(kinesis.url()),
                                       **more}).start()


def wait_for_key(kinesis, key):
    """A record came that key signed; returns its request."""
    return wait_until(lambda: next((request for request in
                                    list(kinesis.received)
                                    if access_key(request) == key), None),
                      f"a record is signed by {key}", SOON_S)


def assert_no_secret(reporter):
    for secret in (aws.SECRET, aws.TOKEN, "PASS==", "AUTHORIZE"):
        assert secret not in reporter.process.output()


def test_the_shared_file(sandbox, redis, kinesis, expected):
    """Is read at the start, on HUP, and if AWS does not know the key."""
    kinesis.keys = keys("AKIDA", "AKIDB", "AKIDC")
    path = sandbox.folder / "credentials"
    aws.write_file(path, "AKIDA")
    reporter = start(sandbox, redis, kinesis, {
        **aws.NO_CREDENTIALS, "AWS_SHARED_CREDENTIALS_FILE": path,
        "AWS_PROFILE": "verve"})
    expected.send(1)
    wait_for_key(kinesis, "AKIDA")
    aws.write_file(path, "AKIDB")
    reporter.process.hup()
    wait_for_key(kinesis, "AKIDB")
    path.unlink()
    reporter.process.hup()  # the old credentials are still used
    reporter.process.wait_output(f"{NAME}: credentials: environment: ")
    expected.check(kinesis.wait_reported(expected.send(2)))
    aws.write_file(path, "AKIDC")
    del kinesis.keys["AKIDB"]
    wait_for_key(kinesis, "AKIDC")
    expected.check(kinesis.wait_reported(expected.send(3)))
    assert set(kinesis.problems) <= {"UnrecognizedClientException"}
    output = reporter.process.output()
    words = f'{NAME}: credentials from the credentials file"'
    assert output.count(words) == 3
    assert f"{NAME}: HTTP" not in output  # sent again at once
    assert_no_secret(reporter)


def test_an_expired_token_is_replaced_at_once(sandbox, redis, kinesis,
                                              expected):
    container = open_endpoint(sandbox, Container)
    container.respond("/role", credentials("AKIDA"), credentials("AKIDB"))
    kinesis.keys = keys("AKIDA", "AKIDB")
    reporter = start(sandbox, redis, kinesis, container.settings(
        AWS_CONTAINER_AUTHORIZATION_TOKEN="Basic AUTHORIZE"))
    expected.send(1)
    request = wait_for_key(kinesis, "AKIDA")
    assert request.headers["x-amz-security-token"] == aws.TOKEN + "AKIDA"
    kinesis.fail((400, "ExpiredTokenException"))
    request = wait_for_key(kinesis, "AKIDB")
    assert request.headers["x-amz-security-token"] == aws.TOKEN + "AKIDB"
    expected.check(kinesis.wait_reported(expected.send(2)))
    assert [(request.method, request.target, request.headers["authorization"])
            for request in container.received] == \
        [("GET", "/role?a=1", "Basic AUTHORIZE")] * 2
    assert kinesis.problems == []
    assert "ExpiredToken" not in reporter.process.output()
    assert_no_secret(reporter)


def test_credentials_are_renewed_before_they_expire(sandbox, redis, kinesis,
                                                    expected):
    """Though the endpoint fails at first; and the token's file is read anew."""
    token = sandbox.folder / "token"
    token.write_text("AUTHORIZE-1\n", encoding="ascii")
    container = open_endpoint(sandbox, Container)
    container.respond("/role", credentials("AKIDA", 16), Answer(500),
                      credentials("AKIDB"))
    kinesis.keys = keys("AKIDA", "AKIDB")
    end = time.time() + 15
    reporter = start(sandbox, redis, kinesis, container.settings(
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token))
    expected.send(1)
    wait_for_key(kinesis, "AKIDA")
    token.write_text("AUTHORIZE-2\n", encoding="ascii")
    container.wait_count(2, "/role", 25.0)
    reporter.process.wait_output(f"{NAME}: credentials: environment: ")
    assert "; container: HTTP 500; trying again" in reporter.process.output()
    wait_until(lambda: any(access_key(request) == "AKIDB"
                           for request in list(kinesis.received)),
               "they are renewed", 25.0)
    reporter.process.wait_output(f"{NAME}: credentials: works again")
    assert all(request.time < end for request in list(kinesis.received)
               if access_key(request) == "AKIDA")
    assert [request.headers["authorization"]
            for request in container.received] == \
        ["AUTHORIZE-1", "AUTHORIZE-2", "AUTHORIZE-2"]
    expected.check(kinesis.wait_reported(expected.send(2)))
    assert_no_secret(reporter)


def test_the_role_of_an_instance(sandbox, redis, kinesis, expected):
    """Version 2 of the metadata service. While it hangs, or has no role, other
    sinks go on."""
    instance = open_endpoint(sandbox, Instance)
    instance.respond("/latest/api/token", Answer(None), Answer(body=b"PASS=="))
    instance.respond(instance.ROLES, Answer(404), Answer(body=b"verve-role"))
    instance.respond(instance.ROLES + "verve-role", credentials("AKIDA"))
    kinesis.keys = keys("AKIDA")
    reporter = start(sandbox, redis, kinesis, instance.settings())
    expected.check(reporter.wait_reported(expected.send(1)))
    reporter.process.wait_output("; instance metadata: Timeout was reached")
    reporter.process.wait_output("; instance metadata: the instance has no "
                                 "role")
    expected.check(kinesis.wait_reported(expected.send(2)))
    assert [request.method for request in instance.received] == \
        ["PUT", "PUT", "GET", "PUT", "GET", "GET"]
    assert f"{NAME}: credentials from the instance metadata, until 20" in \
        reporter.process.output()
    assert_no_secret(reporter)


def test_a_web_identity(sandbox, redis, kinesis, expected):
    """The token of a Kubernetes cluster; its file is read anew each time."""
    token = sandbox.folder / "token"
    token.write_text("AUTHORIZE.1+", encoding="ascii")
    sts = open_endpoint(sandbox, Sts)
    sts.respond("/", Answer(400, body=b"<Error><Code>ExpiredTokenException"
                            b"</Code></Error>"), sts.answer("AKIDA"))
    kinesis.keys = keys("AKIDA")
    reporter = start(sandbox, redis, kinesis, sts.settings(
        AWS_WEB_IDENTITY_TOKEN_FILE=token))
    expected.send(1)
    reporter.process.wait_output(
        "; web identity: HTTP 400 ExpiredTokenException; trying again")
    request = wait_for_key(kinesis, "AKIDA")
    assert request.headers["x-amz-security-token"] == aws.TOKEN + "AKIDA"
    expected.check(kinesis.wait_reported(expected.send(2)))
    asked = sts.received[-1]
    assert (asked.method, asked.headers["content-type"], asked.body) == (
        "POST", "application/x-www-form-urlencoded",
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
        b"arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&RoleSessionName=verve&"
        b"WebIdentityToken=AUTHORIZE.1%2B")
    assert_no_secret(reporter)


@pytest.mark.parametrize("change,words", [
    ({}, "credentials: environment: AWS_ACCESS_KEY_ID is not set; web "
         "identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; credentials file: "
         "/dev/null: no regular file; container: neither AWS_CONTAINER_"
         "CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is "
         "set; instance metadata: AWS_EC2_METADATA_DISABLED is set"),
    ({"AWS_PROFILE": "verve", "AWS_SHARED_CREDENTIALS_FILE": "FILE"},
     'has no keys in profile "verve"'),
    ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/"},
     "container: AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor"),
    ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "FILE-MISSING"},
     "container: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: No such file"),
])
def test_sources_of_no_use_are_refused(sandbox, change, words):
    path = sandbox.folder / "credentials"
    aws.write_file(path, "AKIDA", profile="other")
    change = {name: value.replace("FILE", str(path))
              for name, value in change.items()}
    process = sandbox.start("reporter", [REPORTER, "-t"],
                            {**settings("http://h/"), **aws.NO_CREDENTIALS,
                             **change})
    assert process.wait() == 100
    assert words in process.output()
    assert aws.SECRET not in process.output()
