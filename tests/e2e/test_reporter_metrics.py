"""metrics.listen: the numbers of all workers of a reporter, whatever happens to
one of them."""

import os
import re
import signal
import socket
import stat
import time
from pathlib import Path

from harness import http
from harness.edge import right_clock
from harness.fastcgi import Responder
from harness.load import accept
from harness.metrics import Scrape, documented, families, labels_of
from harness.preload import RedisClock
from harness.queue import put
from harness.receiver import Answer
from harness.redis import Redis
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.sandbox import free_port
from harness.tls import Peer, answering, make_certificate, server_context
from harness.wait import wait_until
from test_metrics import metrics

SETTINGS = {"VERVE_WINDOW_SECONDS": 1, **QUICK_CALLBACKS}
DELIVERED = 'verve_callbacks_settled_total{fate="delivered"}'
WRITES = 'verve_sink_writes_total{sink="file",outcome="done"}'
CLIENTS = 16  # METRICS_SERVER_CLIENTS
CLIENT_S = 5.0  # METRICS_SERVER_CLIENT_MS


def start(sandbox, redis, name="reporter", **settings):
    scrape = Scrape()
    reporter = Reporter(sandbox, redis, name, **scrape.settings,
                        **settings).start()
    wait_until(scrape.answers, "metrics are served")
    return reporter, scrape


def wait_for(scrape, series, test, seconds=20.0):
    """The metrics, once test(value) of a series holds; None: no series."""
    def check():
        found = scrape()
        return test(found.get(series)) and found
    return wait_until(check, series, seconds, 0.05)


def wait_for_all(scrape, test, seconds=20.0):
    """The metrics, once test(found) holds, which is a dict: several series, and
    what they have to do with each other."""
    return wait_until(lambda: (found := scrape()) and test(found) and found,
                      "the metrics are right", seconds, 0.05)


def attempts(outcome):
    return f'verve_callback_attempts_total{{outcome="{outcome}"}}'


def phase(name):
    return f'verve_callback_attempt_duration_seconds_count{{phase="{name}"}}'


def test_it_counts_callbacks(sandbox, redis, responder, receiver):
    _, scrape = start(sandbox, redis, VERVE_CALLBACKS_WORKERS=2,
                      VERVE_CALLBACKS_CONCURRENCY=2)
    untrusted = Peer(sandbox, answering(server_context(
        make_certificate(sandbox.folder, "unknown"))))
    receiver.respond("/gone", 410)
    receiver.respond("/late", 503, 200)
    receiver.respond("/moved", 302)
    receiver.respond("/silent", Answer(None))
    receiver.respond("/reset", Answer(0))
    for n in range(4):
        responder.ask(accept(n, receiver.url("/fine")))
    put(redis, receiver.url("/gone"), receiver.url("/late"),
        f"http://127.0.0.1:{free_port()}/", "http://192.0.2.1/",
        "http://nowhere.invalid/", "http://10.0.0.1/",
        receiver.url("/moved", 2), receiver.url("/silent", 3),
        receiver.url("/reset", 4), untrusted.url)
    redis("RPUSH", "verve:{0}:callbacks", "no job")
    wait_for(scrape, DELIVERED, lambda n: n == 5)
    for outcome in ("connect", "dns", "3xx", "4xx", "timeout", "other", "tls"):
        wait_for(scrape, attempts(outcome), lambda n: n >= 1)
    wait_for(scrape, attempts("refused"), lambda n: n == 2)
    wait_for(scrape, "verve_callbacks_unreadable_total", lambda n: n >= 1)
    wait_for(scrape, 'verve_callbacks_settled_total{fate="dead"}',
             lambda n: n >= 3)
    wait_for(scrape, 'verve_destinations{breaker="closed"}', lambda n: n >= 1)
    found = wait_for_all(scrape, lambda found: found[phase("all")] == sum(
        n for series, n in found.items() if series.startswith(
            "verve_callback_attempts_total")) and
        found[f'verve_redis_up{{node="{redis.path}"}}'] == 3)
    assert found[attempts("2xx")] == 5
    assert found[attempts("4xx")] == 1
    assert found[attempts("5xx")] == 1
    assert found[attempts("refused")] == 2
    assert found["verve_callbacks_unreadable_total"] in (1, 2) # each may find it
    assert found['verve_callbacks_settled_total{fate="retry"}'] >= 2
    # Jobs that were put there by hand do not say when they were accepted.
    assert found["verve_callback_delivery_duration_seconds_count"] == 4
    assert 0 < found["verve_callback_delivery_duration_seconds_sum"] < 40
    assert found[phase("answer")] >= 8
    assert found[phase("connect")] >= 1
    assert found[phase("tls")] == 0
    assert found[phase("dns")] >= 1
    assert found["verve_workers"] == 4
    assert found["verve_worker_starts_total"] == 4
    assert found['verve_build_info{program="verve-reporter",version="1.0.0"}']
    assert found["process_resident_memory_bytes"] > 4e6
    assert 0 < found["process_cpu_seconds_total"] < 100
    assert abs(found["process_start_time_seconds"] - time.time()) < 100


def test_a_kept_connection_has_no_connect(sandbox, redis, receiver):
    _, scrape = start(sandbox, redis)
    for n in range(6):
        put(redis, receiver.url("/"))
        found = wait_for(scrape, DELIVERED, lambda done, n=n: done == n + 1)
    assert found[phase("answer")] == found[phase("all")] == 6
    assert found[phase("connect")] == receiver.connections < 6


def test_it_counts_windows_and_sinks(sandbox, redis, responder):
    reporter, scrape = start(sandbox, redis)
    for n in range(7):
        responder.ask(accept(n))
    wait_for(scrape, WRITES, lambda n: n >= 3)
    last = "verve_window_start_timestamp_seconds"
    found = wait_for_all(
        scrape, lambda found:
        found.get('verve_sink_lag_windows{sink="file"}', 9) <= 1 and
        0 <= found[last] - found[
            'verve_sink_cursor_timestamp_seconds{sink="file"}'] <= 1)
    assert found['verve_windows_recorded_total{kind="count"}'] >= 3
    assert found['verve_sink_owned{sink="file"}'] == 1
    assert abs(found[last] - int(redis("TIME")[0])) < 20
    assert 0 <= found["verve_window_seal_delay_seconds"] < 10
    assert 0 <= found["verve_window_unique_ids"] <= 7
    assert not any("syslog" in series for series in found)
    # A sink that fails falls behind.
    os.remove(reporter.report_path)
    os.mkdir(reporter.report_path)
    reporter.process.hup()
    found = wait_for(scrape, 'verve_sink_lag_windows{sink="file"}',
                     lambda n: n >= 3)
    assert found['verve_sink_writes_total{sink="file",outcome="failed"}'] >= 1
    os.rmdir(reporter.report_path)
    wait_for(scrape, 'verve_sink_lag_windows{sink="file"}', lambda n: n == 0)


@right_clock
def test_a_clock_that_is_right(sandbox, redis):
    _, scrape = start(sandbox, redis)
    wait_for(scrape, 'verve_redis_clock_skew_seconds{shard="0"}',
             lambda n: n is not None and abs(n) < 1)


def test_the_queue(sandbox, redis, responder, receiver):
    """A destination that is frozen: the jobs wait, and grow old."""
    receiver.respond("/", Answer(None))
    _, scrape = start(sandbox, redis, VERVE_CALLBACKS_WORKERS=0)
    for n in range(5):
        responder.ask(accept(n, receiver.url("/")))
    redis("ZADD", "verve:{0}:due", "99999999999999", "- 0 later")
    redis("HINCRBY", "verve:{0}:queue", "jobs", 1)
    redis("RPUSH", "verve:{0}:dead", "x", "y")
    waiting = 'verve_callback_queue_jobs{state="waiting"}'
    found = wait_for(scrape, waiting, lambda n: n == 5)
    assert found['verve_callback_queue_jobs{state="due"}'] == 1
    assert found['verve_callback_queue_jobs{state="dead"}'] == 2
    wait_for(scrape, "verve_callback_oldest_seconds", lambda n: 1 < n < 100)
    # What is not known is not shown.
    redis.stop()
    found = wait_for(scrape, waiting, lambda n: n is None)
    assert "verve_callback_oldest_seconds" not in found
    assert 'verve_redis_clock_skew_seconds{shard="0"}' not in found
    found = wait_for(scrape, f'verve_redis_up{{node="{redis.path}"}}',
                     lambda n: n == 0)
    wait_for(scrape, 'verve_redis_errors_total{reason="away"}',
             lambda n: n >= 1)
    found = wait_for(scrape, 'verve_sink_owned{sink="file"}', lambda n: n == 0)
    assert 'verve_sink_lag_windows{sink="file"}' not in found


def test_the_digest_is_that_of_the_responders(sandbox, redis):
    """If their settings are the same."""
    same = {"VERVE_REDIS_TIMEOUT_MS": 300, "VERVE_CALLBACKS_ALLOW": "10.0.0.0/8"}
    responder = Responder(sandbox, redis, **same).start()
    digest = re.search(r'config="([0-9a-f]{8})"',
                       str(list(metrics(responder.path))))[1]
    for settings, is_same in (same, True), ({}, False):
        reporter, scrape = start(sandbox, redis, **settings)
        assert (f'verve_config_info{{program="verve-reporter",'
                f'config="{digest}"}}' in scrape()) == is_same
        reporter.term()


def test_a_path_that_fails(sandbox, redis, receiver):
    """Another path of its host works: the destination is well."""
    receiver.respond("/bad", 500)
    _, scrape = start(sandbox, redis)
    put(redis, receiver.url("/"))
    wait_for(scrape, DELIVERED, lambda n: n == 1)
    put(redis, *[receiver.url("/bad")] * 30)
    found = wait_for(scrape, "verve_failing_paths", lambda n: n >= 1)
    assert found['verve_destinations{breaker="open"}'] == 0


def test_a_redis_that_must_not_be_used(sandbox, redis):
    """Its data has been written with other settings."""
    _, scrape = start(sandbox, redis)
    up, unusable = (f'verve_redis_{word}{{node="{redis.path}"}}'
                    for word in ("up", "unusable"))
    shards = redis("HGET", "verve:{0}:meta", "shards")
    redis("HSET", "verve:{0}:meta", "shards", 7)
    redis.end_connections()
    found = wait_for(scrape, unusable, lambda n: n == 2)
    assert found[up] == 0
    redis("HSET", "verve:{0}:meta", "shards", shards)
    found = wait_for(scrape, up, lambda n: n == 2)
    assert found[unusable] == 0


def test_sums_survive_kills(sandbox, redis, receiver):
    reporter, scrape = start(sandbox, redis)
    put(redis, *[receiver.url("/")] * 30)
    before = wait_for(scrape, DELIVERED, lambda n: n == 30)
    for name in "callbacks-1", "reports", "metrics":
        pid = reporter.worker(name)
        os.kill(pid, signal.SIGKILL)
        reporter.process.wait_output(f"{name}[{pid}] has ended")
        if name != "metrics":
            found = scrape()
            assert found["verve_workers"] in (2, 3)
        reporter.wait_restarted(name, pid)
    wait_until(scrape.answers, "metrics are served again")
    found = wait_for(scrape, "verve_workers", lambda n: n == 3)
    assert found["verve_worker_starts_total"] == 6
    for series, value in before.items():
        if "_total" in series or "_bucket" in series or "_count" in series:
            assert found[series] >= value, series
    assert found[DELIVERED] == 30
    put(redis, receiver.url("/"))
    wait_for(scrape, DELIVERED, lambda n: n == 31)


def test_workers_that_hang_do_not_silence_it(sandbox, redis):
    reporter, scrape = start(sandbox, redis)
    before = wait_for(scrape, WRITES, lambda n: n >= 1)
    stopped = [reporter.worker("callbacks-1"), reporter.worker("reports")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    for _ in range(3):
        found = scrape()
        assert found[WRITES] >= before[WRITES]
        assert found["verve_workers"] == 3
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


def test_the_form_of_its_answers(sandbox, redis):
    _, scrape = start(sandbox, redis)
    whole = http.fetch(scrape.port, "/metrics")
    assert whole.headers["content-type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    assert whole.headers["cache-control"] == "no-store"
    assert int(whole.headers["content-length"]) == len(whole.body)
    head = http.fetch(scrape.port, "/metrics", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    for target in "/", "/metric", "/metrics/", "//metrics", "/status/":
        response = http.fetch(scrape.port, target)
        assert (response.status, response.body) == (404, b"failed"), target
    for method in "POST", "PUT", "DELETE", "OPTIONS":
        response = http.fetch(scrape.port, "/metrics", method)
        assert (response.status, response.body) == (405, b"failed"), method
        assert response.headers["allow"] == "GET, HEAD"
    # A body is not waited for.
    answer = http.exchange(scrape.port, b"POST /metrics HTTP/1.1\r\nHost: h\r\n"
                           b"Content-Length: 1000000000\r\n\r\n")
    assert http.parse(answer).status == 405
    # What is no request, or too long, is refused.
    for bad in b"\0\1\2\r\n\r\n", b"GET /" + b"x" * 100000, b"\r\n" * 50000:
        try:
            assert b" 200 " not in http.exchange(scrape.port, bad)
        except OSError:
            pass # closed under the rest of the request
    assert scrape()


def connect(port):
    client = socket.create_connection(("127.0.0.1", port), 20.0)
    client.setblocking(False)
    return client


def is_closed(client):
    try:
        return client.recv(1000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_slow_clients_hold_no_place(sandbox, redis):
    """Some are silent, some send a byte now and then, and some do not read
    their answer: all are closed in time, and others are served."""
    reporter, scrape = start(sandbox, redis)
    started = time.monotonic()
    clients = [connect(scrape.port) for _ in range(CLIENTS + 6)]
    slow, deaf = clients[:CLIENTS:2], clients[CLIENTS:]
    for client in slow:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\nX: ")
    for client in deaf:
        client.send(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")

    def is_served():
        for client in slow:
            try:
                client.send(b"x")
            except OSError:
                pass
        return scrape.answers()
    wait_until(is_served, "one more is served", 6 * CLIENT_S, 0.1)
    assert time.monotonic() - started >= CLIENT_S - 1.0
    wait_until(lambda: all([is_closed(client) for client in clients]),
               "all are closed", 3 * CLIENT_S, 0.1)
    for client in clients:
        client.close()
    before = len(reporter.report())
    wait_until(lambda: len(reporter.report()) > before, "reports go on")


def sockets(pid):
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(link.startswith("socket:") for link in links)


def test_all_places_get_free_at_once(sandbox, redis):
    """The time of all clients ends while the worker is stopped."""
    reporter, scrape = start(sandbox, redis)
    pid = reporter.worker("metrics")
    wait_until(lambda: sockets(pid) == 1, "there is no client")
    clients = [connect(scrape.port) for _ in range(CLIENTS)]
    wait_until(lambda: sockets(pid) == CLIENTS + 1, "all have a place")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(CLIENT_S + 0.1)
    os.kill(pid, signal.SIGCONT)
    assert scrape()
    for client in clients:
        client.close()


def test_a_busy_port_stops_nothing(sandbox, redis):
    scrape = Scrape()
    with socket.socket() as other:
        other.bind(("127.0.0.1", scrape.port))
        other.listen()
        reporter = Reporter(sandbox, redis, **scrape.settings).start()
        reporter.process.wait_output(
            f"metrics.listen: 127.0.0.1:{scrape.port}: Address already in use")
        wait_until(lambda: len(reporter.report()) >= 2, "it reports")
    wait_until(scrape.answers, "metrics are served", 20.0)
    reporter.process.wait_output("metrics.listen: works again")
    assert reporter.term() == 0


def ask_path(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10.0)
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = b""
        while more := client.recv(65536):
            answer += more
    return http.parse(answer)


def test_a_unix_socket(sandbox, redis):
    path = sandbox.folder / "metrics.sock"
    reporter = Reporter(sandbox, redis, VERVE_METRICS_LISTEN=path).start()
    wait_until(path.exists, "it listens")
    wait_until(lambda: b"verve_workers 3\n" in ask_path(path).body,
               "all workers are told")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    reporter.kill()
    assert path.exists()
    reporter.start() # a socket that nobody listens on is replaced
    wait_until(lambda: b"verve_workers 3\n" in ask_path(path).body,
               "it is served again")
    # Another reporter does not take it away, nor any other file.
    file = sandbox.folder / "file"
    file.write_text("mine")
    for taken in path, file:
        other = Reporter(sandbox, redis, f"other-{taken.name}",
                         VERVE_METRICS_LISTEN=taken).start()
        other.process.wait_output(f"metrics.listen: {taken}: Address already")
        assert other.term() == 0
    assert file.read_text() == "mine"
    assert ask_path(path).status == 200
    path.unlink()
    wait_until(path.exists, "it listens again")
    assert ask_path(path).status == 200
    assert reporter.term() == 0
    assert not path.exists()


def test_none(sandbox, redis):
    reporter = Reporter(sandbox, redis, VERVE_METRICS_LISTEN="none").start()
    assert set(reporter.workers()) == {"callbacks-1", "reports"}


def test_a_standby_has_no_lag(sandbox, redis):
    """Of two reporters with one sink, the one without the lease says nothing of
    its lag, so that it is no alert for ever if the other one is gone."""
    path = sandbox.folder / "report.txt"
    shared = {"VERVE_FILE_PATH": path, "VERVE_SINK_NAME": "both"}
    owner, first = start(sandbox, redis, "one", **shared)
    _, second = start(sandbox, redis, "two", **shared)
    lag = 'verve_sink_lag_windows{sink="file"}'
    owned = 'verve_sink_owned{sink="file"}'
    wait_for(first, lag, lambda n: n is not None)
    found = wait_for(second, owned, lambda n: n is not None)
    assert found[owned] == 0
    assert lag not in found
    owner.term()
    wait_for(second, owned, lambda n: n == 1)
    wait_for(second, lag, lambda n: n == 0)


def test_a_clock_that_is_wrong(sandbox):
    clock = RedisClock(sandbox)
    redis = Redis(sandbox, environment=clock.environment).start()
    _, scrape = start(sandbox, redis)
    skew = 'verve_redis_clock_skew_seconds{shard="0"}'
    wait_for(scrape, skew, lambda n: n is not None and abs(n) < 1)
    clock.step_to(100.0)
    wait_for(scrape, skew, lambda n: n is not None and 99 < n < 101)
    clock.step_to(-100.0)
    wait_for(scrape, skew, lambda n: n is not None and -101 < n < -99)


def test_lost_windows(sandbox, redis, responder):
    _, scrape = start(sandbox, redis)
    for n in range(5):
        responder.ask(accept(n))
    wait_for(scrape, WRITES, lambda n: n >= 2)
    redis.wipe()
    found = wait_for(scrape, 'verve_lost_windows_total{kind="gap"}',
                     lambda n: n >= 1)
    assert found['verve_windows_recorded_total{kind="gap"}'] >= 1


def test_each_family_is_documented(sandbox, redis):
    """With its type and its labels, as far as it has a series."""
    _, scrape = start(sandbox, redis)
    wait_for(scrape, 'verve_callback_queue_jobs{state="due"}',
             lambda n: n is not None)
    wait_for(scrape, WRITES, lambda n: n >= 1)
    text = scrape.text()
    written = documented("The families of the reporter")
    assert {(name, kind) for name, (kind, _) in written.items()} == \
        families(text)
    labels = labels_of(text)
    assert set(labels) == set(written)
    assert {name: names for name, (_, names) in written.items()} == labels
