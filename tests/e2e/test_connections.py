"""What becomes of a connection once its answer's head has come, and how many
connections are kept, and for how long."""

import os
import socket
import time

from harness.listener import Listener
from harness.preload import preload
from harness.queue import dead, is_settled, put
from harness.receiver import Answer
from harness.reporter import Reporter
from harness.resolver import Resolver
from harness.settings import BUILD, scaled
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600,
            "VERVE_CALLBACKS_RETRY_DELAYS_S": "1,1"}
HURRY = 20  # a minute is three seconds
OPEN = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nmore to"
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nmore"
ENDLESS = b"HTTP/1.0 204 No\r\n\r\n"
REFUSED = b"HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\nmore"


class Raw:
    """Answers each request with the same bytes, and then closes the connection
    or leaves it open."""

    def __init__(self, sandbox, answer, closes=False):
        self.answer = answer
        self.closes = closes
        self.requests = []  # times
        self.open = []
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        Listener(sandbox, listener, self.serve)

    def serve(self, connection):
        self.open.append(connection)
        while connection.recv(65536):
            self.requests.append(time.monotonic())
            connection.sendall(self.answer)
            if self.closes:
                break
        connection.close()


def results(reporter):
    return {(line["attempt"], line["status"], line["error"])
            for line in reporter.callbacks()}


def test_the_head_of_a_2xx_ends_the_job(sandbox, redis):
    """Whether its body stays open or is cut. There are more than there are slots
    for, and no time limit ends them."""
    reporter = Reporter(sandbox, redis, VERVE_CALLBACKS_CONCURRENCY=2,
                        VERVE_CALLBACKS_TIMEOUT_MS=14000).start()
    raws = [Raw(sandbox, answer, closes) for closes in (False, True)
            for answer in (OPEN, CHUNKED, ENDLESS)]
    started = time.monotonic()
    ids = [id_ for raw in raws for id_ in put(redis, *[raw.url] * 4)]
    wait_until(lambda: len(reporter.callbacks()) == len(ids), "all are done")
    wait_until(lambda: is_settled(redis), "all are settled")
    assert time.monotonic() - started < 10.0
    assert results(reporter) == {("1", "200", "-"), ("1", "201", "-"),
                                 ("1", "204", "-")}
    assert all(len(raw.requests) == 4 for raw in raws)
    assert not dead(redis)


def test_so_does_the_head_of_any_other_status(sandbox, redis):
    reporter = Reporter(sandbox, redis).start()
    raw = Raw(sandbox, REFUSED)
    (job,) = put(redis, raw.url)
    wait_until(lambda: dead(redis) == {job: "status-404"}, "it is dead")
    assert results(reporter) == {("1", "404", "status-404"),
                                 ("2", "404", "status-404")}
    # No attempt waits for the body. One of them may have been delayed.
    assert min(int(line["duration_ms"]) for line in reporter.callbacks()) < 900


def test_an_open_body_has_a_second(sandbox, redis, receiver):
    """If it ends by then, the connection is used again; else it is closed."""
    late = Raw(sandbox, OPEN)
    Reporter(sandbox, redis).start()
    put(redis, late.url)
    wait_until(lambda: is_settled(redis), "it is settled")
    (connection,) = late.open
    wait_until(lambda: connection.fileno() < 0, "it is closed", 5.0)
    raw = Raw(sandbox, OPEN)
    for count in range(1, 4):
        put(redis, raw.url)
        wait_until(lambda: len(raw.requests) == count, "it is sent")
        wait_until(lambda: is_settled(redis), "it is settled")
        raw.open[0].sendall(b"x" * 93)  # the rest
        time.sleep(0.1)
    assert len(raw.open) < 3  # one may have been too late


def test_only_the_final_answer_counts(sandbox, redis):
    """Not the Retry-After of a 103, nor of a trailer."""
    reporter = Reporter(sandbox, redis).start()
    hint = Raw(sandbox, b"HTTP/1.1 103 Early Hints\r\nRetry-After: 3600\r\n\r\n"
               b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    trailer = Raw(sandbox, b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n"
                  b"\r\n0\r\nRetry-After: 3600\r\n\r\n")
    ids = put(redis, hint.url, trailer.url)
    wait_until(lambda: dead(redis) == dict.fromkeys(ids, "status-500"),
               "both have ended", 20.0)
    assert len(hint.requests) == len(trailer.requests) == 3
    assert {line["status"] for line in reporter.callbacks()} == {"500"}


def descriptors(reporter):
    return len(os.listdir(f"/proc/{reporter.worker()}/fd"))


def test_few_connections_are_kept(sandbox, redis, receiver):
    """Twice the concurrency, however many hosts answer well."""
    hosts, concurrency = scaled(1000), 64
    reporter = Reporter(sandbox, redis,
                        VERVE_CALLBACKS_CONCURRENCY=concurrency).start()
    before = descriptors(reporter)
    port = receiver.port
    put(redis, *(f"http://127.1.{n // 250}.{n % 250 + 1}:{port}/"
                 for n in range(hosts)))
    receiver.wait_count(hosts, seconds=60.0)
    wait_until(lambda: is_settled(redis), "all are settled")
    wait_until(lambda: descriptors(reporter) - before <= 2 * concurrency + 8,
               "few are left")
    wait_until(lambda: len(receiver.open) <= 2 * concurrency,
               "the receiver sees that the others are closed")
    assert len(receiver.open) >= concurrency // 2  # and yet some are kept


def hurried(sandbox, redis, **settings):
    """A reporter whose minute is a few seconds."""
    library = BUILD / "tests" / "preload" / "hurry.so"
    return Reporter(sandbox, redis, **preload(library), HURRY=HURRY,
                    VERVE_CALLBACKS_TIMEOUT_MS=60000,
                    VERVE_CALLBACKS_LEASE_S=120,
                    VERVE_CALLBACKS_CONNECT_TIMEOUT_MS=30000,
                    VERVE_REDIS_TIMEOUT_MS=10000, **settings).start()


def test_idle_connections_are_closed(sandbox, redis, receiver):
    """After a minute, also if nothing else is sent."""
    hurried(sandbox, redis)
    put(redis, *(receiver.url("/", n) for n in range(1, 30)))
    receiver.wait_count(29)
    wait_until(lambda: is_settled(redis), "all are settled")
    assert receiver.open
    wait_until(lambda: not receiver.open, "all are closed", 20.0)


def test_a_name_that_moves_is_followed(sandbox, redis, receiver):
    """Though a connection is in use all the time."""
    resolver = Resolver(sandbox, {"moving.test": ["127.0.0.1"]}, port=0)
    hurried(sandbox, redis, **resolver.settings)
    url = f"http://moving.test:{receiver.port}/"
    put(redis, url)
    receiver.wait_count(1)
    resolver.names["moving.test"] = ["127.0.0.2"]

    def is_followed():
        count = len(receiver.received)
        put(redis, url)
        receiver.wait_count(count + 1)
        return receiver.received[-1].address == "127.0.0.2"
    wait_until(is_followed, "the new address is called", 30.0, 0.2)
    assert receiver.connections < len(receiver.received) // 2


def test_a_body_without_a_job_is_dropped_at_the_end(sandbox, redis, receiver):
    receiver.respond("/", Answer(headers={"Content-Length": 100}))
    reporter = Reporter(sandbox, redis).start()
    put(redis, receiver.url())
    wait_until(lambda: is_settled(redis), "it is settled")
    assert reporter.term() == 0
