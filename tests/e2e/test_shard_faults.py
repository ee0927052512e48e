"""A responder with three shards on three masters, of which one is slow or away:
ids of the other shards are answered as ever, its own in time."""

import json
import signal
import threading
import time

import pytest
from harness.answers import assert_unavailable
from harness.any_redis import one_server
from harness.cluster import Cluster
from harness.fastcgi import Responder, parse_response, request
from harness.load import accept
from harness.metrics import numbers
from harness.shards import TAGS, counts_all, ids_of, is_counted
from harness.wait import wait_until

SHARDS = 3
TIMEOUT_MS = 1000
LIMIT_S = 2 * TIMEOUT_MS / 1000 + 0.1
NOISE_S = 0.9  # what the scheduler of a shared machine may add
SETTINGS = {"VERVE_REDIS_SHARDS": SHARDS, "VERVE_WINDOW_SECONDS": 3600,
            "VERVE_REDIS_TIMEOUT_MS": TIMEOUT_MS}
AWAY = 1  # the shard that is stopped or killed
LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
pytestmark = one_server("it has three shards of its own")


@pytest.fixture
def cluster(sandbox):
    return Cluster(sandbox, replicas=0).start()


@pytest.fixture
def responder(sandbox, cluster):
    responder = Responder(sandbox, cluster).start()
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 30.0)
    return responder


def node_of(cluster, shard):
    return cluster.master_of(TAGS[SHARDS][shard])


class Asker:
    """Asks for ids of a shard, one after the other, until it is stopped."""

    def __init__(self, responder, shard, first):
        self.responder = responder
        self.ids = ids_of(shard, SHARDS, 20000, first)
        self.answers = []  # (status, how long it took in s)
        self.going_on = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.responder.peer(30.0) as peer:
            for number in self.ids:
                if not self.going_on:
                    break
                started = time.monotonic()
                status = peer.ask_kept(accept(number)).status
                self.answers.append((status, time.monotonic() - started))

    def stop(self):
        self.going_on = False
        self.thread.join()
        return self.answers


def flood(responder, shard, count, first):
    """Sends so many requests at once, without waiting. Returns the peers."""
    peers = []
    for number in ids_of(shard, SHARDS, count, first):
        peers.append(responder.peer(30.0))
        peers[-1].send(request(accept(number)))
    return peers


def responses(peers):
    """(status, when it came) of each."""
    found = []
    for peer in peers:
        answer = parse_response(peer.read_to_end())
        found.append((answer.status, time.monotonic()))
        peer.close()
    return found


def test_a_node_that_hangs_delays_no_other_shard(cluster, responder):
    node = node_of(cluster, AWAY)
    others = [Asker(responder, shard, 1000)
              for shard in range(SHARDS) if shard != AWAY]
    time.sleep(0.2)
    node.freeze()
    started = time.monotonic()
    own = flood(responder, AWAY, 20, 100000)
    ready = responder.ask("/readyz", seconds=30.0)
    assert ready.status == 200
    assert time.monotonic() - started < LIMIT_S + NOISE_S
    for status, came in responses(own):
        assert status == 503
        assert came - started < LIMIT_S + NOISE_S
    wait_until(lambda: responder.ask(accept(ids_of(AWAY, SHARDS, 1, 7000)[0]))
               .status == 503, "known to be away")
    started = time.monotonic()  # now it is known
    assert_unavailable(responder.ask(accept(ids_of(AWAY, SHARDS, 1, 8000)[0])))
    assert time.monotonic() - started < NOISE_S
    for asker in others:
        answers = asker.stop()
        assert {status for status, _ in answers} == {200}
        assert max(took for _, took in answers) < NOISE_S / 2
    lines = responder.process.logged_with("requests are refused")
    assert {line["shard"] for line in lines} == {str(AWAY)}
    node.thaw()
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 30.0)


def test_more_than_may_wait_get_503_at_once(sandbox, cluster):
    responder = Responder(sandbox, cluster, VERVE_ACCEPT_MAX_BATCH=4,
                          VERVE_REDIS_TIMEOUT_MS=3000).start()
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 30.0)
    node = node_of(cluster, AWAY)
    node.freeze()
    started = time.monotonic()
    peers = flood(responder, AWAY, 60, 100000)
    # Four are under way and eight wait: the last are answered before these.
    last = responses(peers[30:])
    assert {status for status, _ in last} == {503}
    assert max(came for _, came in last) - started < 3.0
    assert is_counted(responder, ids_of(0, SHARDS, 1, 5000)[0])
    assert {status for status, _ in responses(peers[:30])} == {503}
    assert time.monotonic() - started < 2 * 3.0 + 0.1 + NOISE_S
    assert "too many requests wait" in responder.process.output()


def test_term_while_a_node_hangs(cluster, responder):
    node_of(cluster, AWAY).freeze()
    others = flood(responder, 0, 5, 1000)
    own = flood(responder, AWAY, 5, 1000)
    responder.process.signal(signal.SIGTERM)
    started = time.monotonic()
    assert {status for status, _ in responses(others)} == {200}
    assert {status for status, _ in responses(own)} == {503}
    responder.process.wait(20.0)
    assert time.monotonic() - started < 2.0 + 3 * TIMEOUT_MS / 1000 + NOISE_S


def test_a_master_that_was_killed(cluster, responder):
    node = node_of(cluster, AWAY)
    mine, *others = [ids_of(shard, SHARDS, 1, 3000)[0]
                     for shard in (AWAY, 0, 2)]
    node.kill()
    wait_until(lambda: responder.ask(accept(mine)).status == 503, "away")
    for number in others:
        assert is_counted(responder, number)
    answer = responder.ask("/readyz?verbose", **LOCAL)
    assert answer.status == 200
    lines = dict(line.split(" ", 1)
                 for line in answer.body.decode().splitlines())
    assert lines["[!]redis"].startswith(f"warning: shard {AWAY}: ")
    assert lines["[!]shards"].startswith(f"warning: 2 of 3 count, shard {AWAY}")
    assert answer.body.endswith(b"readyz check passed\n")
    metrics = numbers(responder.ask("/metrics", **LOCAL).body.decode())
    assert [metrics[f'verve_shard_up{{shard="{shard}"}}']
            for shard in range(SHARDS)] == [1, 0, 1]
    page = json.loads(responder.ask("/api/verve/stats", **LOCAL).body)
    assert [row["state"] for row in page["shards"]] == ["up", "down", "up"]
    assert page["state"] == "down"
    assert page["findings"][0]["code"] == "shard-away"
    assert page["findings"][0]["text"].startswith(f"Shard {AWAY} (")
    for other in cluster.nodes:
        if other is not node:
            other.kill()
    wait_until(lambda: responder.ask("/readyz").status == 503, "not ready")
    answer = responder.ask("/readyz?verbose", **LOCAL)
    assert answer.headers["verve-error"] == "redis-unavailable"
    assert b"[-]shards failed: 0 of 3 count" in answer.body
    for each in cluster.nodes:
        each.launch()
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 60.0)
    assert responder.ask("/readyz").status == 200


def test_a_planned_failover_is_not_noticed_by_other_shards(sandbox):
    cluster = Cluster(sandbox, replicas=1).start()
    responder = Responder(sandbox, cluster).start()
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 30.0)
    askers = [Asker(responder, shard, 1000) for shard in range(SHARDS)]
    cluster.fail_over(TAGS[SHARDS][AWAY])
    wait_until(lambda: is_counted(responder, ids_of(AWAY, SHARDS, 1, 5)[0]),
               "counts at its new master", 20.0)
    for shard, asker in enumerate(askers):
        statuses = [status for status, _ in asker.stop()]
        assert statuses[-1] == 200
        if shard != AWAY:
            assert set(statuses) == {200}
