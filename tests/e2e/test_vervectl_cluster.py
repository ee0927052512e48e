"""vervectl with a Redis Cluster: it finds the node of each shard, and goes on
without those that are away. doctor finds what is planted."""

import pytest
from harness.cluster import Cluster, key_slot
from harness.limited import PASSWORD
from harness.operator import Operator, words_of
from harness.queue import DEAD, dead, is_settled, job, put
from harness.reporter import QUICK_CALLBACKS, Reporter
from harness.settings import ROOT
from harness.shards import TAGS, shards_of
from harness.wait import wait_until

SHARDS = 3
SETTINGS = {"VERVE_REDIS_SHARDS": SHARDS, "VERVE_WINDOW_SECONDS": 2,
            "VERVE_CALLBACKS_ALLOW": "127.0.0.0/8",
            "VERVE_METRICS_LISTEN": "none", **QUICK_CALLBACKS}


class LimitedCluster(Cluster):
    """With the users of conf/redis.acl; the tests and the replicas keep all
    rights."""

    def __init__(self, sandbox, **config):
        acl = sandbox.folder / "redis.acl"
        shipped = (ROOT / "conf" / "redis.acl").read_text()
        acl.write_text(shipped.replace(" on ", f" on >{PASSWORD} "))
        super().__init__(sandbox, aclfile=acl, **config)

    def url_of(self, user):
        return self.url.replace("//", f"//{user}:{PASSWORD}@")


@pytest.fixture
def cluster(sandbox):
    return LimitedCluster(sandbox).start()


@pytest.fixture
def operator(sandbox, cluster):
    return Operator(sandbox, VERVE_REDIS_URL=cluster.url_of("vervectl"))


def finds(operator, severity, name, what):
    """Whether doctor finds that, by and by."""
    wait_until(lambda: any(one[0] == severity and what in one[1]
                           for one in operator.findings().get(name, [])),
               f"{name}: {what}", 60.0)


def node_name(node):
    return f"127.0.0.1:{node.port}"


def test_a_cluster(sandbox, cluster, operator, receiver):
    """One cluster for all, as it takes seconds to start. All of it is done with
    the rights of conf/redis.acl."""
    shards = shards_of(cluster, SHARDS)
    masters = [cluster.master_of(tag) for tag in TAGS[SHARDS]]
    reporter = Reporter(sandbox, cluster).start()

    # Callbacks of all shards are delivered, once each.
    ids = [one for shard in shards for one in put(shard, receiver.url())]
    receiver.wait_count(SHARDS, seconds=30.0)
    wait_until(lambda: all(is_settled(shard) for shard in shards), "settled")
    assert sorted(got.headers["webhook-id"] for got in receiver.received) == \
        sorted(ids)
    wait_until(lambda: len(operator.facts("reporter")) == SHARDS,
               "all workers are published", 20.0)
    assert [words_of(line)["node"]
            for line in operator.facts("shard")] == \
        [node_name(node) for node in masters]

    # The commands change all shards.
    for shard in shards:
        shard("RPUSH", DEAD, job("http://a.example/"))
    assert len(operator("queue", "list")) == SHARDS
    operator("queue", "drop", "--host", "a.example", "-y")
    assert "3 dropped" in operator.errors
    assert not any(dead(shard) for shard in shards)
    operator("block", "a.example")
    assert operator.facts("blocked") == ["a.example jobs=keep"]
    operator("unblock", "a.example")
    operator("sinks")
    operator("sinks", "forget", "nobody", "-y", code=1)
    operator("sinks", "rewind", "nobody", "60", code=1)

    # doctor as the user vervectl, and with all rights.
    found = operator.findings()
    assert [found[name][0][0] for name in
            ("shards", "cluster-replicas", "moving", "rights")] == ["ok"] * 4
    assert found["full-coverage"][0][0] == "unseen"  # CONFIG is not granted
    admin = Operator(sandbox, VERVE_REDIS_URL=cluster.url)
    assert admin.findings()["full-coverage"][0][0] == "ok"

    # What is planted is found.
    masters[1]("CONFIG", "SET", "cluster-require-full-coverage", "yes")
    finds(admin, "warning", "full-coverage", node_name(masters[1]))
    masters[1]("CONFIG", "SET", "cluster-require-full-coverage", "no")
    masters[2]("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    finds(admin, "critical", "eviction", f"{node_name(masters[2])}: ")
    masters[2]("CONFIG", "SET", "maxmemory-policy", "noeviction")
    cluster.begin_move(TAGS[SHARDS][1], masters[0])
    finds(admin, "warning", "moving",
          f"slot {key_slot(TAGS[SHARDS][1])} (shard 1) is being moved")
    for node in masters[0], masters[1]:
        node("CLUSTER", "SETSLOT", key_slot(TAGS[SHARDS][1]), "STABLE")
    cluster.move(TAGS[SHARDS][1], masters[0])
    finds(admin, "warning", "shards", f"{node_name(masters[0])}=2")
    admin.env["VERVE_REDIS_SHARDS"] = "1"
    finds(admin, "warning", "shards", "redis.shards is 1, and there are 3")
    finds(admin, "critical", "settings", "redis.shards is 3 in Redis and 1")
    assert "see docs/cluster.md" in admin.findings()["settings"][0][2]
    admin.env["VERVE_REDIS_SHARDS"] = str(SHARDS)
    cluster.move(TAGS[SHARDS][1], masters[1])

    # The first node of the url is gone, and a shard: its replica is, too.
    reporter.kill()
    lost = [*cluster.replicas_of(masters[1]), masters[1]]
    alone = cluster.replicas_of(masters[2])
    shards[0]("RPUSH", DEAD, job("http://a.example/"))
    for node in lost + alone:
        node.kill()
    url = cluster.url_from(lost + cluster.nodes)
    admin.env["VERVE_REDIS_URL"] = url
    finds(admin, "critical", "node", f"{node_name(masters[1])}: ")
    finds(admin, "critical", "redis", "shard 1 ")
    finds(admin, "warning", "cluster-replicas", node_name(masters[2]))
    assert len(admin("queue", "list", code=111)) == 1
    assert "shard 1 is away" in admin.errors
    shown = {words_of(line)["state"]
             for line in admin.facts("shard", code=111)}
    assert shown == {"up", "away"}
    (line,) = admin("check", "--age", "600,600", "--reporters", "0,0", code=2)
    assert "VerveRedisAway: shard 1: " in line
    admin("block", "a.example", code=111)
    assert "run vervectl block a.example again" in admin.errors
    lost[1].start()
    wait_until(lambda: admin("block", "a.example", code=None) == [] and
               "is away" not in admin.errors, "the shard is back", 60.0)
    for node in cluster.nodes:
        if node.answers():
            node.kill()
    admin("status", code=111)
    (line,) = admin("check", code=2)
    assert "VerveRedisAway" in line
