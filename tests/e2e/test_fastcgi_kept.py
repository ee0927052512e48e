"""Kept FastCGI connections (FCGI_KEEP_CONN, specification 3.5), spoken to the
responder's socket by hand; and a listener that others share."""

import fcntl
import os
import resource
import signal
import socket
import threading
import time

import pytest
from harness import fastcgi
from harness.fastcgi import (FCGI, KEEP_CONN, PARAMS, STDIN, Responder, begin,
                             params, record, request, variables)
from harness.manager import activated
from harness.process import cpu_s, memory_kb, stat_fields
from harness.settings import SANITIZED
from harness.wait import wait_until

ACCEPT = "/api/verve/accept?id=7"
PATIENCE_S = 2.0


def is_closed(peer, seconds=10.0):
    peer.socket.settimeout(seconds)
    return peer.read_exactly(1) is None


def test_one_connection_serves_many_requests(responder):
    with responder.peer() as peer:
        assert peer.ask_kept(ACCEPT).body == b"ok"
        before = responder.process.descriptors()
        for number in range(2000):
            answer = peer.ask_kept(f"/api/verve/accept?id={number}")
            assert (answer.status, answer.body, answer.ended) == \
                (200, b"ok", True)
        assert peer.ask_kept("/api/verve/accept?id=x").status == 400
        assert peer.ask_kept("/healthz").body == b"ok"
        assert peer.ask_kept("/readyz").body == b"ok"
        assert responder.process.descriptors() == before


def test_the_last_request_may_end_the_connection(responder):
    with responder.peer() as peer:
        assert peer.ask_kept(ACCEPT).body == b"ok"
        assert peer.ask(ACCEPT).body == b"ok"  # reads to the end


@pytest.mark.parametrize("request_id", [1, 2, 65535])
def test_requests_may_have_any_number(responder, request_id):
    with responder.peer() as peer:
        for number in (request_id, 1, request_id):
            assert peer.ask_kept(ACCEPT, request_id=number).body == b"ok"


def test_two_requests_cut_anywhere(responder):
    data = request(ACCEPT, flags=KEEP_CONN) * 2
    with responder.peer() as peer:
        for cut in range(1, len(data)):
            peer.send(data[:cut])
            if cut % 10 == 0:
                time.sleep(0.001)
            peer.send(data[cut:])
            assert [peer.read_response().body for _ in range(2)] == \
                [b"ok", b"ok"]


def test_byte_by_byte(responder):
    with responder.peer() as peer:
        for byte in request(ACCEPT, flags=KEEP_CONN) * 2:
            peer.send(bytes([byte]))
            time.sleep(0.0005)
        assert peer.read_response().body == b"ok"
        assert peer.read_response().body == b"ok"


def test_many_that_were_sent_already(responder):
    with responder.peer() as peer:
        peer.send(request(ACCEPT, flags=KEEP_CONN) * 100)
        for _ in range(100):
            assert peer.read_response().body == b"ok"


def test_a_body_is_passed_over(responder):
    body = record(STDIN, b"x" * 60000, padding=7)
    whole = begin(KEEP_CONN) + params(variables(ACCEPT)) + body * 20 + \
        record(STDIN)
    with responder.peer() as peer:
        for _ in range(3):
            peer.send(whole)
            assert peer.read_response().body == b"ok"
        assert peer.ask_kept(ACCEPT).body == b"ok"


def test_a_second_request_while_one_is_open_closes(responder):
    first = begin(KEEP_CONN) + params(variables(ACCEPT))
    with responder.peer() as peer:
        peer.send(first + record(STDIN) + begin(KEEP_CONN, request_id=2))
        assert is_closed(peer)
    with responder.peer() as peer:
        peer.send(begin(KEEP_CONN) + begin(KEEP_CONN, request_id=2))
        assert is_closed(peer)


@pytest.mark.parametrize("garbage", [b"x" * 8, record(PARAMS), os.urandom(64),
                                     record(STDIN, request_id=9)],
                         ids=["text", "params", "random", "stdin"])
def test_garbage_behind_a_request_closes_that_connection_alone(responder,
                                                               garbage):
    with responder.peer() as peer, responder.peer() as other:
        assert other.ask_kept(ACCEPT).body == b"ok"
        assert peer.ask_kept(ACCEPT).body == b"ok"
        peer.send(garbage)
        assert is_closed(peer)
        assert other.ask_kept(ACCEPT).body == b"ok"


def test_half_a_next_request_is_given_up(responder):
    with responder.peer() as peer:
        assert peer.ask_kept(ACCEPT).body == b"ok"
        started = time.monotonic()
        peer.send(request(ACCEPT, flags=KEEP_CONN)[:30])
        assert is_closed(peer)
        assert time.monotonic() - started > PATIENCE_S - 0.1


def test_half_a_request_whose_peer_is_gone_keeps_no_place(responder):
    before = responder.process.descriptors()
    started = time.monotonic()
    for _ in range(20):
        with responder.peer() as peer:
            peer.send(request(ACCEPT)[:40])
    wait_until(lambda: responder.process.descriptors() <= before,
               "all are closed")
    assert time.monotonic() - started < PATIENCE_S - 0.5


def test_peers_that_go_while_their_batch_is_out_harm_nobody(responder, redis):
    """Nor do answers that nobody reads."""
    before = responder.process.descriptors()
    gone = [responder.peer() for _ in range(20)]
    for peer in gone:
        assert peer.ask_kept(ACCEPT).body == b"ok"
    with responder.peer() as stays, responder.peer() as deaf:
        redis.freeze()
        for number, peer in enumerate([*gone, stays]):
            peer.send(request(f"/api/verve/accept?id={number}",
                              flags=KEEP_CONN))
        time.sleep(0.1)
        for peer in gone:
            peer.close()
        redis.thaw()
        assert stays.read_response().body == b"ok"
        wait_until(lambda: responder.process.descriptors() <= before + 2,
                   "all are closed")
        deaf.socket.settimeout(1.0)
        with pytest.raises(OSError):
            while True:
                deaf.send(request("/healthz", flags=KEEP_CONN) * 100)
        assert stays.ask_kept(ACCEPT).body == b"ok"
        wait_until(lambda: responder.process.descriptors() <= before + 1,
                   "it is closed")


@pytest.mark.parametrize("flags", [0, KEEP_CONN])
def test_a_batch_larger_than_the_socket_buffer_of_redis(sandbox, redis, flags):
    """What Redis does not take at once is sent as soon as it does."""
    responder = Responder(sandbox, redis, VERVE_ACCEPT_MAX_BATCH=512).start()
    assert responder.ask(ACCEPT).body == b"ok"
    endpoint = "&endpoint=http://h.example/" + "x" * 2000
    peers = [responder.peer() for _ in range(512)]
    responder.process.freeze()
    for number, peer in enumerate(peers):
        peer.send(request(f"/api/verve/accept?id={number}{endpoint}",
                          flags=flags))
    redis.freeze()
    responder.process.thaw()
    time.sleep(0.2)
    started = time.monotonic()
    redis.thaw()
    for peer in peers:
        assert peer.read_response().body == b"ok"
        peer.close()
    assert time.monotonic() - started < 3.8  # the time limit is 4 s


def test_an_idle_connection_is_closed_in_time(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_ACCEPT_KEEP_IDLE_S=1).start()
    with responder.peer() as idle, responder.peer() as busy:
        assert idle.ask_kept(ACCEPT).body == b"ok"
        started = time.monotonic()
        while time.monotonic() - started < 2.5:
            assert busy.ask_kept(ACCEPT).body == b"ok"
            time.sleep(0.2)
        assert is_closed(idle)
        assert busy.ask_kept(ACCEPT).body == b"ok"


def test_thousands_of_idle_connections_cost_little(responder):
    """No CPU, bounded memory, and no place that a new one would need."""
    pid = responder.process.pid
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    try:
        before_kb = memory_kb(pid)
        peers = []
        for _ in range(3000):
            peers.append(responder.peer())
            assert peers[-1].ask_kept(ACCEPT).body == b"ok"
        if not SANITIZED:
            assert memory_kb(pid) - before_kb < 3000  # 1 KB each
        spent = cpu_s(pid)
        time.sleep(1.0)
        assert cpu_s(pid) - spent < 0.1
        assert responder.ask(ACCEPT).body == b"ok"
        assert peers[0].ask_kept(ACCEPT).body == b"ok"
        for peer in peers:
            peer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: responder.process.descriptors() < 100, "all are closed")


def test_out_of_descriptors_the_longest_idle_one_makes_room(responder):
    pid = responder.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE,
                     (responder.process.descriptors() + 10, hard))
    peers = [responder.peer() for _ in range(30)]
    for peer in peers:
        assert peer.ask_kept(ACCEPT).body == b"ok"
    assert all(map(is_closed, peers[:15]))
    assert peers[-1].ask_kept(ACCEPT).body == b"ok"
    assert responder.ask(ACCEPT).body == b"ok"
    for peer in peers:
        peer.close()


def test_a_pool_takes_kept_connections_in_turn(sandbox, redis):
    """If all wait for work, the one that has waited for longest gets the next
    connection. (If the processors are busy, who runs gets it; as web servers
    close a connection after some requests, that evens out.)"""
    pool = Responder(sandbox, redis).start(4)
    before = [p.descriptors() for p in pool.processes]
    peers = []
    for _ in range(32):
        wait_until(lambda: all(stat_fields(p.pid)[0] == "S"
                               for p in pool.processes), "all sleep")
        peers.append(pool.peer())
        assert peers[-1].ask_kept(ACCEPT).body == b"ok"
    kept = [p.descriptors() - n
            for p, n in zip(pool.processes, before)]
    assert sum(kept) == 32
    assert max(kept) <= 12, kept
    for peer in peers:
        peer.close()


def test_term_closes_what_is_idle_at_once(responder):
    with responder.peer() as peer:
        assert peer.ask_kept(ACCEPT).body == b"ok"
        started = time.monotonic()
        responder.process.signal(signal.SIGTERM)
        assert is_closed(peer)
        assert time.monotonic() - started < PATIENCE_S - 0.1
    assert responder.process.wait() == 0


def test_term_answers_what_was_sent_on_kept_connections(responder):
    peers = [responder.peer() for _ in range(100)]
    for peer in peers:
        assert peer.ask_kept(ACCEPT).body == b"ok"
    responder.process.freeze()
    for peer in peers:
        peer.send(request(ACCEPT, flags=KEEP_CONN))
    responder.process.signal(signal.SIGTERM)
    responder.process.thaw()
    for peer in peers:
        assert peer.read_response().body == b"ok"
        assert is_closed(peer)
        peer.close()
    assert responder.process.wait() == 0


def set_blocking(listener):
    """As a process may do that shares the listener."""
    flags = fcntl.fcntl(listener, fcntl.F_GETFL)
    fcntl.fcntl(listener, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)


def test_a_listener_made_blocking_while_it_idles(sandbox, redis):
    pool = Responder(sandbox, redis).start(2)
    for _ in range(5):
        set_blocking(pool.listener)
        for _ in range(20):
            assert pool.ask(ACCEPT).body == b"ok"
    set_blocking(pool.listener)
    for process in pool.processes:
        process.signal(signal.SIGTERM)
        assert process.wait() == 0


def test_a_listener_made_blocking_while_it_serves(sandbox, redis):
    pool = Responder(sandbox, redis).start(2)
    over = threading.Event()

    def make_blocking():
        while not over.is_set():
            set_blocking(pool.listener)
            time.sleep(0.01)

    thread = threading.Thread(target=make_blocking)
    thread.start()
    try:
        started = time.monotonic()
        while time.monotonic() - started < 3.0:
            assert pool.ask(ACCEPT).body == b"ok"
        for process in pool.processes:
            process.signal(signal.SIGTERM)
            assert process.wait() == 0
    finally:
        over.set()
        thread.join()


def activate(sandbox, redis, **settings):
    """verve-fcgi with its listener as fd 3, by sd_listen_fds(3)."""
    listener = socket.socket(socket.AF_UNIX)
    path = sandbox.folder / "activated.sock"
    listener.bind(str(path))
    listener.listen(16)
    sandbox.on_close(listener.close)
    process = sandbox.start(
        "activated", activated(FCGI),
        {"VERVE_REDIS_URL": redis.url, **settings}, stdin=listener)
    return process, path


def test_socket_activation(sandbox, redis):
    process, path = activate(sandbox, redis)
    wait_until(lambda: Responder.is_ready(process), "it is ready")
    with fastcgi.Peer(path) as peer:
        assert peer.ask_kept(ACCEPT).body == b"ok"


def test_sockets_passed_to_another_process_are_not_taken(sandbox, redis):
    """Then fd 0 counts, as without socket activation."""
    process, path = activate(sandbox, redis, PID_OFFSET=1)
    wait_until(lambda: Responder.is_ready(process), "it is ready")
    fd0 = os.readlink(f"/proc/{process.pid}/fd/0")
    assert fd0.startswith("socket:")
    with fastcgi.Peer(path) as peer:
        assert peer.ask_kept(ACCEPT).body == b"ok"
