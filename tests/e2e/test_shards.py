"""A responder with three shards on one Redis: each id counts once, in the shard
that it belongs to."""

import json

from harness.any_redis import one_server
from harness.fastcgi import Responder
from harness.load import accept
from harness.redis import Redis
from harness.shards import TAGS, counts_all, shard_of
from harness.wait import wait_until

SHARDS = 3
LOCAL = {"REMOTE_ADDR": "127.0.0.1"}
SETTINGS = {"VERVE_REDIS_SHARDS": SHARDS, "VERVE_WINDOW_SECONDS": 3600}
pytestmark = one_server("it has three shards of its own")


def counted(redis, tag):
    """All ids of the windows of a shard."""
    return sum(int(redis("GET", key))
               for key in redis("KEYS", f"verve:{tag}:count:*"))


def test_each_id_counts_once_in_its_own_shard(sandbox):
    redis = Redis(sandbox).start()
    responder = Responder(sandbox, redis).start(2)
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 20.0)
    ids = range(1, 61)
    windows = set()
    for _ in range(2):
        for number in ids:
            answer = responder.ask(accept(number))
            assert (answer.status, answer.body) == (200, b"ok")
            windows.add(answer.headers["verve-window"])
    assert len(windows) == 1
    for shard, tag in enumerate(TAGS[SHARDS]):
        mine = [n for n in ids if shard_of(n, SHARDS) == shard]
        assert counted(redis, tag) == len(mine) > 0
    assert responder.ask(accept(1, "http://a.example/")).status == 200
    tag = TAGS[SHARDS][shard_of(1, SHARDS)]
    assert redis("KEYS", f"verve:{tag}:callbacks:*") != []
    assert responder.ask("/readyz").status == 200
    # Kept connections: one behind the other, all of their shards at once.
    with responder.peer() as peer:
        assert [peer.ask_kept(accept(n)).status for n in ids] == \
            [200] * len(ids)


def test_the_status_adds_up_all_shards(sandbox):
    redis = Redis(sandbox).start()
    responder = Responder(sandbox, redis).start()
    wait_until(lambda: counts_all(responder, SHARDS), "all shards count", 20.0)
    for number in range(100, 120):
        assert responder.ask(
            accept(number, "http://a.example/")).status == 200

    def look():
        page = json.loads(responder.ask("/api/verve/stats", **LOCAL).body)
        store = page["store"]
        return store["window"]["count"] == SHARDS + 20 and \
            store["queue"]["jobs"] == 20 and page
    page = wait_until(look, "all ids and callbacks")
    assert [(row["shard"], row["state"]) for row in page["shards"]] == \
        [(shard, "up") for shard in range(SHARDS)]
    assert {row["node"] for row in page["shards"]} == {str(redis.path)}
