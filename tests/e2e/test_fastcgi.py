"""FastCGI spoken to the responder's socket by hand, a connection for each
request; and its signals. Kept connections: test_fastcgi_kept.py."""

import os
import resource
import signal
import socket
import time

import pytest
from harness import fastcgi
from harness.fastcgi import (BEGIN_REQUEST, PARAMS, Responder, begin, params,
                             record, request, variables)
from harness.process import cpu_s
from harness.wait import wait_until

ACCEPT = "/api/verve/accept?id=7"
FEW = 10  # scripts, also those by which a responder says that it lives
PATIENCE_S = 2.0


def assert_quick(responder, count=3):
    """Other requests are not delayed."""
    for _ in range(count):
        started = time.monotonic()
        assert responder.ask(ACCEPT).body == b"ok"
        assert time.monotonic() - started < PATIENCE_S - 0.2


def test_answers_on_a_handed_over_socket(responder):
    answer = responder.ask(ACCEPT)
    assert (answer.status, answer.body, answer.ended) == (200, b"ok", True)


MALFORMED = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    record(BEGIN_REQUEST, b"\0" * 8),  # role 0
    begin(role=2) + params(variables(ACCEPT)),
    record(BEGIN_REQUEST, b"\0\1\0", version=1),
    record(BEGIN_REQUEST, b"\0\1\0\0\0\0\0\0", version=9),
    begin() + begin() + params(variables(ACCEPT)),
    begin() + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xff") +
    record(PARAMS),
    os.urandom(4096),
]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_peer_is_closed_and_costs_nobody_time(responder, data):
    with responder.peer() as peer:
        started = time.monotonic()
        peer.send(data)
        assert_quick(responder)
        assert peer.read_to_end() == b""
        assert time.monotonic() - started < PATIENCE_S + 1
    assert responder.process.running()


def test_a_request_cut_between_two_parameters_is_not_answered(responder):
    cut = fastcgi.pair("REQUEST_METHOD", "GET") + b"\x0b\x20REQUEST_URI/api"
    with responder.peer() as peer:
        peer.send(begin() + record(PARAMS, cut) + record(PARAMS))
        assert peer.read_to_end() == b""
    assert_quick(responder)


def test_a_peer_that_hangs_up_between_two_parameters(responder):
    for _ in range(20):
        with responder.peer() as peer:
            peer.send(begin() + record(PARAMS, b"\x0b\x20REQUEST_URI/api"))
    assert_quick(responder)


@pytest.mark.parametrize("half", [b"", b"\1\1\0", begin(),
                                  request(ACCEPT)[:60]],
                         ids=["silent", "header", "begin", "parameters"])
def test_a_stalling_peer_delays_nobody_and_is_given_up(responder, half):
    before = responder.process.descriptors()
    started = time.monotonic()
    peers = [responder.peer() for _ in range(30)]
    for peer in peers:
        peer.send(half)
    assert_quick(responder)
    for peer in peers:
        assert peer.read_to_end() == b""
        peer.close()
    assert PATIENCE_S - 0.1 < time.monotonic() - started < PATIENCE_S + 2
    wait_until(lambda: responder.process.descriptors() <= before,
               "all fds are closed")


def test_more_stalling_peers_than_are_remembered(responder):
    peers = [responder.peer() for _ in range(600)]
    assert_quick(responder)
    for peer in peers:
        peer.close()


def test_a_request_in_pieces_is_answered(responder):
    data = begin() + params(variables(ACCEPT))
    with responder.peer() as peer:
        for start in range(0, len(data), 16):
            peer.send(data[start:start + 16])
            time.sleep(0.002)
        answer = fastcgi.parse_response(peer.read_to_end())
    assert answer.body == b"ok"


def test_more_requests_than_a_batch_become_complete_at_once(sandbox, redis):
    """The others must not wait for an event."""
    responder = Responder(sandbox, redis, VERVE_ACCEPT_MAX_BATCH=1).start()
    started = time.monotonic()
    peers = [responder.peer() for _ in range(8)]
    for peer in peers:
        peer.send(request(ACCEPT)[:40])
    time.sleep(0.1)
    responder.process.freeze()
    for peer in peers:
        peer.send(request(ACCEPT)[40:])
    responder.process.thaw()
    for peer in peers:
        assert fastcgi.parse_response(peer.read_to_end()).body == b"ok"
        peer.close()
    assert time.monotonic() - started < PATIENCE_S - 0.2


def test_a_batch_asks_once_whether_redis_is_ready(redis, responder):
    responder.process.freeze()
    peers = [responder.peer() for _ in range(50)]
    for peer in peers:
        peer.send(request("/readyz"))
    redis("CONFIG", "RESETSTAT")
    responder.process.thaw()
    for peer in peers:
        assert fastcgi.parse_response(peer.read_to_end()).body == b"ok"
        peer.close()
    assert 0 < redis.calls("evalsha") <= FEW


def test_out_of_descriptors_it_waits_and_goes_on(responder):
    """If accept() fails, the responder must not spin, and must recover."""
    pid = responder.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE,
                     (responder.process.descriptors(), before[1]))
    with responder.peer() as peer:
        peer.send(request(ACCEPT))
        spent = cpu_s(pid)
        time.sleep(1.0)
        assert cpu_s(pid) - spent < 0.5
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert fastcgi.parse_response(peer.read_to_end()).body == b"ok"


def test_large_parameters_are_fine(responder):
    answer = responder.ask(ACCEPT, **{f"HTTP_X{i}": "x" * 1000
                                      for i in range(40)})
    assert answer.body == b"ok"


def test_endless_parameters_are_given_up(responder):
    with responder.peer() as peer:
        peer.send(begin())
        try:
            for _ in range(100):
                peer.send(record(PARAMS, b"\x01\x7fA" + b"x" * 127))
                peer.send(record(PARAMS, fastcgi.pair("B" * 60, "x" * 5000)))
        except OSError:
            pass
        assert peer.read_to_end() == b""
    assert_quick(responder)


def test_a_peer_that_does_not_wait_for_its_answer(responder):
    for _ in range(50):
        with responder.peer() as peer:
            peer.send(request(ACCEPT))
    assert_quick(responder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_drains_what_waits_and_exits_0(responder, number):
    """Requests that are in the backlog at the signal are answered."""
    responder.process.freeze()
    peers = [responder.peer() for _ in range(200)]
    for peer in peers:
        peer.send(request(ACCEPT))
    responder.process.signal(number)
    responder.process.thaw()
    for peer in peers:
        assert fastcgi.parse_response(peer.read_to_end()).body == b"ok"
        peer.close()
    assert responder.process.wait(3.0) == 0


def test_drains_for_at_most_two_seconds(responder):
    peer = responder.peer()
    responder.process.signal(signal.SIGTERM)
    started = time.monotonic()
    assert responder.process.wait() == 0
    assert time.monotonic() - started < PATIENCE_S + 2
    peer.close()


def test_int_and_hup_are_ignored(responder):
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        responder.process.signal(number)
    assert_quick(responder)


def test_a_pool_shares_its_listener(sandbox, redis):
    pool = Responder(sandbox, redis).start(3)
    for process in pool.processes[:2]:
        process.kill()
    assert_quick(pool)


def test_needs_a_listening_socket(sandbox):
    process = sandbox.start("alone", [fastcgi.FCGI],
                            {"VERVE_REDIS_URL": "unix:///nowhere"})
    assert process.wait() == 100
    assert "fd 0" in process.output()


def test_batches_share_one_round_trip(redis, responder):
    """50 requests that wait together cost a few scripts, not 50."""
    assert responder.ask(ACCEPT).body == b"ok"
    responder.process.freeze()
    peers = [responder.peer() for _ in range(50)]
    for number, peer in enumerate(peers):
        peer.send(request(f"/api/verve/accept?id={number}"))
    redis("CONFIG", "RESETSTAT")
    responder.process.thaw()
    for peer in peers:
        assert fastcgi.parse_response(peer.read_to_end()).body == b"ok"
        peer.close()
    assert redis.calls("evalsha") <= FEW


def test_a_listener_of_another_kind_is_refused(sandbox):
    left, right = socket.socketpair()
    with left, right:
        process = sandbox.start("pair", [fastcgi.FCGI],
                                {"VERVE_REDIS_URL": "unix:///nowhere"},
                                stdin=left)
        assert process.wait() == 100
