"""GET /metrics: the numbers of the whole pool, from any of its responders."""

import re

from harness.fastcgi import Peer, Responder
from harness.metrics import documented, families, labels_of, numbers
from harness.servers import every_server
from harness.wait import wait_until

SETTINGS = {"VERVE_WINDOW_SECONDS": 3600}
TARGET = "/api/verve/accept?id="
LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}


def ask(path, **more):
    with Peer(path) as peer:
        return peer.ask("/metrics", **{**LOOPBACK, **more})


def metrics(path):
    response = ask(path)
    assert response.status == 200, response
    return numbers(response.body.decode())


def accept(path, *ids):
    with Peer(path) as peer:
        for text in ids:
            peer.ask_kept(f"{TARGET}{text}")


def test_counts_what_was_answered(responder, redis):
    accept(responder.path, 1, 2, 2, "x", "3&endpoint=http://h.example/")
    found = metrics(responder.path)
    assert found['verve_requests_total{handler="accept",code="200"}'] == 4
    assert found['verve_requests_total{handler="accept",code="400"}'] == 1
    assert found['verve_errors_total{error="id-not-an-integer"}'] == 1
    assert found['verve_ids_total{result="new"}'] == 3
    assert found['verve_ids_total{result="cached"}'] == 1
    assert found['verve_ids_total{result="seen"}'] == 0
    assert found["verve_callbacks_queued_total"] == 1
    assert found["verve_request_duration_seconds_count"] == 5
    assert 0 < found["verve_request_duration_seconds_sum"] < 10
    assert found["verve_batch_requests_count"] == 3
    assert found['verve_batch_requests_bucket{le="1"}'] == 3
    assert found['verve_redis_duration_seconds_count{script="accept"}'] >= 3
    assert found[f'verve_redis_up{{node="{redis.path}"}}'] == 1
    assert found["verve_responders"] == 1
    assert found["verve_responder_starts_total"] == 1
    assert found["verve_recent_ids"] == 3
    assert found["process_open_fds"] > 5
    assert found["process_max_fds"] >= found["process_open_fds"]
    assert found["process_resident_memory_bytes"] > 1e6
    assert found["process_cpu_seconds_total"] > 0
    assert metrics(responder.path)[
        'verve_requests_total{handler="metrics",code="200"}'] == 1


def test_who_may_read_it(sandbox, redis):
    responder = Responder(sandbox, redis, VERVE_METRICS_ALLOW=(
        "192.0.2.0/24, 2001:db8::7")).start()
    for allowed in "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", \
            "192.0.2.77", "::ffff:192.0.2.1", "2001:db8::7":
        assert ask(responder.path, REMOTE_ADDR=allowed).status == 200, allowed
    for refused in "192.0.3.1", "2001:db8::8", "", "127.0.0.1/8", "localhost", \
            "/tmp/client.sock":
        response = ask(responder.path, REMOTE_ADDR=refused)
        assert response.status == 403, refused
        assert response.headers["verve-error"] == "metrics-not-allowed"
        assert response.body == b"failed"
    with Peer(responder.path) as peer:
        assert peer.ask("/metrics").status == 403
    # Behind a proxy on this host, the address is the proxy's.
    for header in "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED":
        assert ask(responder.path, **{header: "1.2.3.4"}).status == 403
        assert ask(responder.path, REMOTE_ADDR="192.0.2.1",
                   **{header: "1.2.3.4"}).status == 200


def test_the_form_of_the_answer(responder):
    whole = ask(responder.path)
    assert whole.headers["content-type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    assert whole.headers["cache-control"] == "no-store"
    assert int(whole.headers["content-length"]) == len(whole.body)
    head = ask(responder.path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    assert ask(responder.path, method="POST").status == 405


def test_sums_survive_kills(sandbox, redis):
    """Any responder answers; the counters of killed ones stay."""
    responder = Responder(sandbox, redis).start(3)
    series = 'verve_requests_total{handler="accept",code="200"}'
    sent = 0
    for killed in range(3):
        for n in range(40):
            accept(responder.path, 1000 * killed + n)
        sent += 40
        assert metrics(responder.path)[series] == sent
        responder.processes[killed].kill()
        responder.start(1)
        found = metrics(responder.path)
        assert found[series] == sent
        assert found["verve_responders"] == 3
        assert found["verve_responder_starts_total"] == 4 + killed


def test_an_unusable_file_is_no_reason_to_end(sandbox, redis):
    path = sandbox.folder / "missing" / "stats"
    responder = Responder(sandbox, redis, VERVE_STATS_PATH=path).start()
    accept(responder.path, 1)
    assert metrics(responder.path)['verve_ids_total{result="new"}'] == 1
    output = responder.processes[0].output()
    assert re.search(rf"stats.path cannot be used: {path}: No such", output)


def test_redis_that_is_away(sandbox, redis):
    responder = Responder(sandbox, redis,
                          VERVE_REDIS_TIMEOUT_MS=200).start()
    accept(responder.path, 1)
    redis.stop()
    up = f'verve_redis_up{{node="{redis.path}"}}'
    wait_until(lambda: metrics(responder.path)[up] == 0, "Redis is down")
    accept(responder.path, 2)
    found = metrics(responder.path)
    assert found['verve_redis_errors_total{reason="away"}'] >= 1
    assert found['verve_errors_total{error="redis-unavailable"}'] >= 1
    assert found['verve_requests_total{handler="accept",code="503"}'] >= 1


def test_redis_that_is_full(responder, redis):
    redis("CONFIG", "SET", "maxmemory", 1)
    accept(responder.path, 1)
    found = metrics(responder.path)
    assert found['verve_redis_errors_total{reason="full"}'] == 1
    assert found['verve_redis_errors_total{reason="refused"}'] == 0
    assert found[f'verve_redis_up{{node="{redis.path}"}}'] == 1
    assert found[f'verve_redis_unusable{{node="{redis.path}"}}'] == 0


def test_redis_that_must_not_be_used(responder, redis):
    """Its data has been written with other settings."""
    up, unusable = (f'verve_redis_{word}{{node="{redis.path}"}}'
                    for word in ("up", "unusable"))
    redis("HSET", "verve:{0}:meta", "window_seconds", 7)
    redis.end_connections()
    wait_until(lambda: metrics(responder.path)[unusable] == 1, "it is refused")
    assert metrics(responder.path)[up] == 0
    redis("HSET", "verve:{0}:meta", "window_seconds", 3600)
    wait_until(lambda: metrics(responder.path)[up] == 1, "it is used again")
    assert metrics(responder.path)[unusable] == 0


@every_server
def test_through_the_web_server(web):
    for n in range(20):
        assert web.get(f"{TARGET}{n}").status == 200
    response = web.get("/metrics")
    assert response.status == 200
    assert response.headers["content-type"] == \
        "text/plain; version=0.0.4; charset=utf-8"
    found = numbers(response.body.decode())
    assert found['verve_ids_total{result="new"}'] == 20
    # One of them may start later than the other.
    wait_until(lambda: numbers(web.get("/metrics").body.decode())[
        "verve_responders"] == 2, "both responders")
    forwarded = web.get("/metrics", headers={"X-Forwarded-For": "1.2.3.4"})
    assert forwarded.status == 403
    assert forwarded.headers["verve-error"] == "metrics-not-allowed"


def test_each_family_is_documented(responder):
    """With its type and its labels."""
    text = ask(responder.path).body.decode()
    written = documented("The families of the responders")
    assert {(name, kind) for name, (kind, _) in written.items()} == \
        families(text)
    assert {name: names for name, (_, names) in written.items()} == \
        labels_of(text)
