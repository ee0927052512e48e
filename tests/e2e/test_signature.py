"""Signatures, checked by a second implementation of Standard Webhooks 1.0.0,
which is itself checked by published vectors."""

import base64
import hashlib
import hmac
import time
from email.utils import formatdate

import pytest
from harness.edge import SKEW_S
from harness.preload import faketime
from harness.queue import put
from harness.receiver import Answer
from harness.reporter import Reporter

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_" + base64.b64encode(bytes(range(24))).decode()
SETTINGS = {"VERVE_WINDOW_SECONDS": 3600, "VERVE_CALLBACKS_SECRET": SECRET,
            "VERVE_CALLBACKS_RETRY_DELAYS_S": "1,1"}

# From the tests of the reference libraries of Standard Webhooks.
VECTOR = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
          b'{"test": 2432232314}')
VECTOR_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def sign(secret, number, timestamp, content):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{number}.{timestamp}.".encode() + content
    digest = hmac.new(key, text, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def verify(secret, got, content):
    """As a receiver does."""
    expected = sign(secret, got.headers["webhook-id"],
                    got.headers["webhook-timestamp"], content)
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < \
        10 + SKEW_S
    return expected in got.headers["webhook-signature"].split(" ")


def test_the_verifier_itself():
    assert sign(SECRET, *VECTOR) == VECTOR_SIGNATURE


def test_a_post_is_signed(redis, reporter, receiver):
    put(redis, *(receiver.url(f"/{n}?a=%20b") for n in range(50)))
    for got in receiver.wait_count(50):
        assert verify(SECRET, got, got.body)
        assert not verify(SECRET, got, got.body + b" ")
        assert not verify(OLD, got, got.body)
        assert len(got.headers["webhook-signature"].split(" ")) == 1


@pytest.mark.parametrize("offset_s", [-600, 600])
def test_a_wrong_clock_of_the_host_does_no_harm(sandbox, redis, receiver,
                                                offset_s):
    """The clock of Redis counts, in each attempt, and for Retry-After."""
    reporter = Reporter(sandbox, redis, **faketime(offset_s)).start()
    wanted = time.time() + 4
    receiver.respond("/busy", Answer(503, {
        "Retry-After": formatdate(wanted, usegmt=True)}), 200)
    put(redis, receiver.url("/busy"))
    first, second = receiver.wait_count(2, seconds=20.0)
    for got in first, second:
        assert verify(SECRET, got, got.body)
        assert abs(int(got.headers["webhook-timestamp"]) - got.time) <= 2
    assert wanted - 2 < second.time < wanted + 8
    assert reporter.term() == 0


@pytest.mark.parametrize("path", ["", "/", "/hook?a=b", "/a/../b%2F?x=%41&y"])
def test_get_signs_path_and_query(sandbox, redis, receiver, path):
    Reporter(sandbox, redis, VERVE_CALLBACKS_METHOD="GET").start()
    put(redis, receiver.url(path))
    (got,) = receiver.wait_count(1)
    assert got.body == b""
    assert verify(SECRET, got, got.target.encode())


def test_both_secrets_sign_during_a_rotation(sandbox, redis, receiver):
    """A receiver that knows either secret accepts the signature."""
    Reporter(sandbox, redis, VERVE_CALLBACKS_SECRET=f"{SECRET} {OLD}").start()
    put(redis, receiver.url())
    (got,) = receiver.wait_count(1)
    assert verify(SECRET, got, got.body) and verify(OLD, got, got.body)


def test_nothing_is_signed_without_a_secret(sandbox, redis, receiver):
    Reporter(sandbox, redis, VERVE_CALLBACKS_SECRET="").start()
    put(redis, receiver.url())
    (got,) = receiver.wait_count(1)
    assert "webhook-signature" not in got.headers


def test_every_attempt_is_signed_anew(sandbox, redis, receiver):
    """The same id and bytes, with the time of the attempt."""
    Reporter(sandbox, redis, VERVE_CALLBACKS_RETRY_DELAYS_S="2,2").start()
    receiver.respond("/hook", Answer(500), Answer(500), 200)
    put(redis, receiver.url("/hook"))
    attempts = receiver.wait_count(3, "/hook")
    for got in attempts:
        assert verify(SECRET, got, got.body)
    changing = {"webhook-timestamp", "webhook-signature"}
    same = [{name: value for name, value in got.headers.items()
             if name not in changing} | {"body": got.body, "to": got.target}
            for got in attempts]
    assert same[0] == same[1] == same[2]
    for name in changing:
        assert len({got.headers[name] for got in attempts}) == 3
