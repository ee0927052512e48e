"""Kept connections are used again as long as they are clean, and never after
the receiver has written on them, or ended them, without a request."""

import pytest
from harness.mounts import needs_mounts, wrap
from harness.queue import is_settled, put
from harness.receiver import Answer, Receiver
from harness.reporter import Reporter
from harness.tls import BUNDLE, make_certificate
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600,
            "VERVE_CALLBACKS_RETRY_DELAYS_S": "1,1"}
ROUNDS = 4
UNASKED = {
    "408": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
           b"Connection: close\r\n\r\n",
    "200": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "half": b"HTTP/1.1 200 OK\r\n",
    "end": b"",
}


class Side:
    """A receiver, and reporters that trust it."""

    def __init__(self, sandbox, redis, scheme):
        self.sandbox = sandbox
        self.redis = redis
        tls, self.before = None, ()
        if scheme == "https":
            tls = make_certificate(sandbox.folder, "receiver")
            self.before = wrap({BUNDLE: tls[0]})
        self.receiver = Receiver(tls=tls)
        sandbox.on_close(self.receiver.close)

    def start(self, **settings):
        return Reporter(self.sandbox, self.redis, before=self.before,
                        **settings).start()

    def deliver(self, count=1):
        """Queues `count` jobs; returns their ids once all are settled."""
        ids = put(self.redis, *[self.receiver.url()] * count)
        wait_until(lambda: is_settled(self.redis), "all are settled", 30.0)
        return ids


@pytest.fixture(params=["http", pytest.param("https", marks=needs_mounts)])
def side(request, sandbox, redis):
    return Side(sandbox, redis, request.param)


def check(reporter, receiver, ids):
    """Each job was delivered once, at its first attempt."""
    assert sorted(got.headers["webhook-id"] for got in receiver.received) == \
        sorted(ids)
    assert [(line["attempt"], line["status"], line["error"])
            for line in reporter.callbacks()] == [("1", "200", "-")] * len(ids)


def test_a_clean_connection_is_used_again(side):
    """Also with TLS, whose tickets arrive between two answers."""
    reporter = side.start()
    ids = [id_ for _ in range(20) for id_ in side.deliver()]
    check(reporter, side.receiver, ids)
    assert side.receiver.connections == 1


@pytest.mark.parametrize("unasked", UNASKED)
@pytest.mark.parametrize("number", [1, 16])
def test_what_comes_unasked_is_no_answer(side, unasked, number):
    """Nor does it cost an attempt, on any number of connections."""
    side.receiver.respond("/", Answer(delay_s=0.1))
    reporter = side.start()
    ids = []
    for _ in range(ROUNDS):
        ids += side.deliver(number)
        side.receiver.interject(UNASKED[unasked])
    check(reporter, side.receiver, ids)
    assert side.receiver.connections >= ROUNDS


@pytest.mark.parametrize("body", [b"", b"body"])
def test_what_comes_behind_an_answer_is_no_answer(side, body):
    """The bytes are in the segment, or TLS record, of the answer's end: libcurl
    may not have read them."""
    side.receiver.respond("/", Answer(body=body, excess=UNASKED["408"]))
    reporter = side.start()
    ids = [id_ for _ in range(ROUNDS) for id_ in side.deliver()]
    check(reporter, side.receiver, ids)
