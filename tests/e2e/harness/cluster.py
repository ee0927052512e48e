"""A Redis Cluster of real nodes, which fail over by themselves."""

import binascii
import re
import socket

from .redis import RedisError
from .sentinel import Node
from .settings import ROOT
from .wait import wait_until

SLOTS = 16384
HOST = "127.0.0.1"
TIMEOUT_MS = 1500  # until a node that does not answer counts as down
FIRST_TAG = "{0}"  # of shard 0


def key_slot(key):
    """The slot of a key: of its hash tag, if it has one."""
    data = key if isinstance(key, bytes) else str(key).encode()
    tag = re.search(rb"^[^{]*\{([^}]+)\}", data)
    return binascii.crc_hqx(tag[1] if tag else data, 0) % SLOTS


def shares(masters):
    """(first, last) slot of each master, as redis-cli --cluster create shares
    them out."""
    ends = [int(SLOTS / masters * i + 0.5) for i in range(masters)] + [SLOTS]
    return [(ends[i], ends[i + 1] - 1) for i in range(masters)]


def free_ports(count):
    """As free_port, all different."""
    probes = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class ClusterNode(Node):
    """A node with the shipped configuration, master or replica."""

    def __init__(self, sandbox, name, ports, **config):
        self.bus_port = ports[1]
        self.id = None
        self.frozen = False
        super().__init__(
            sandbox, name, ports[0],
            **{"cluster_port": ports[1], "cluster_node_timeout": TIMEOUT_MS,
               **config})
        self.files = [ROOT / "conf" / "redis-cluster.conf"]

    def wait_ready(self):
        super().wait_ready()
        self.id = self("CLUSTER", "MYID")
        return self

    def state(self):
        """CLUSTER INFO."""
        lines = self("CLUSTER", "INFO").splitlines()
        return dict(line.split(":", 1) for line in lines)

    def is_whole(self, nodes):
        """Whether it serves, and knows so many nodes."""
        state = self.state()
        return state["cluster_state"] == "ok" and \
            int(state["cluster_known_nodes"]) == nodes and \
            (self.is_master() or self.follows())

    def ranges(self):
        """(first slot, last slot, id of the master), as this node knows them,
        in order."""
        return sorted((first, last, master[2]) for first, last, master, *_
                      in self("CLUSTER", "SLOTS"))

    def owns(self, slot):
        return any(first <= slot <= last and owner == self.id
                   for first, last, owner in self.ranges())

    def freeze(self):
        self.frozen = True
        super().freeze()

    def thaw(self):
        super().thaw()
        self.frozen = False

    def answers(self):
        return bool(self.client) and self.process.running() and \
            not self.frozen


class Cluster:
    """Masters, and as many replicas of each; all are `nodes`, masters first. A
    place is a key, or a hash tag in braces."""

    def __init__(self, sandbox, masters=3, replicas=1, **config):
        count = masters * (1 + replicas)
        ports = free_ports(2 * count)
        self.scheme = "redis+cluster"  # of redis.url
        self.login = ""  # with @
        self.host = HOST  # in redis.url
        self.master_count = masters
        self.nodes = [
            ClusterNode(sandbox, f"node-{i}", ports[2 * i:2 * i + 2], **config)
            for i in range(count)]

    @property
    def url(self):
        return self.url_from(self.nodes)

    def url_from(self, nodes):
        """The url with these nodes alone."""
        hosts = ",".join(f"{self.host}:{node.port}" for node in nodes)
        return f"{self.scheme}://{self.login}{hosts}"

    def url_of(self, user):
        """As harness.redis.Redis: all programs have the same rights."""
        del user
        return self.url

    def use_tls(self, authority, certificate):
        """For clients and between the nodes."""
        self.scheme = "rediss+cluster"
        for node in self.nodes:
            node.use_tls(node.port, authority, certificate)
            node.config.update(tls_cluster="yes", tls_replication="yes")

    def start(self):
        """All at the same time: a node does not serve in its first 2 s."""
        for node in self.nodes:
            node.launch()
        for i, node in enumerate(self.nodes):
            node.wait_ready()
            node("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            node("CLUSTER", "MEET", HOST, self.nodes[0].port,
                 self.nodes[0].bus_port)
        for node, share in zip(self.nodes, shares(self.master_count)):
            node("CLUSTER", "ADDSLOTSRANGE", *share)
        for i, node in enumerate(self.nodes[self.master_count:]):
            self.replicate(node, self.nodes[i % self.master_count])
        return self.wait_whole()

    @staticmethod
    def replicate(node, master):
        """Makes node a replica, once it has met its master."""
        def begin():
            try:
                return node("CLUSTER", "REPLICATE", master.id)
            except RedisError as error:
                assert "nknown node" in str(error), error
                return False
        wait_until(begin, "has met its master", 20.0)

    def wait_whole(self, seconds=60.0):
        """Until all nodes are there and agree."""
        def whole():
            return all(node.is_whole(len(self.nodes)) for node in self.nodes) \
                and len({str(node.ranges()) for node in self.nodes}) == 1
        wait_until(whole, "the cluster is whole", seconds, 0.05)
        return self

    def masters(self):
        """The nodes that say they are masters and have slots."""
        return [node for node in self.nodes if node.answers() and
                any(owner == node.id for *_, owner in node.ranges())]

    def master_of(self, place=FIRST_TAG):
        """Of two nodes that say they are, the newer one. None: nobody is."""
        slot = key_slot(place)
        owners = [node for node in self.nodes
                  if node.answers() and node.owns(slot)]
        return max(owners, default=None, key=lambda node:
                   int(node.state()["cluster_my_epoch"]))

    def replicas_of(self, master):
        return [node for node in self.nodes if node.answers() and
                any(words[3] == master.id and "slave" in words[2].split(",")
                    for words in map(str.split,
                                     node("CLUSTER", "NODES").splitlines())
                    if "myself" in words[2])]

    def wait_moved(self, place, old, seconds=40.0):
        """The master of place, at the moment that it is another than old."""
        def look():
            new = self.master_of(place)
            return new if new is not old else None
        return wait_until(look, "another node takes over", seconds)

    def fail_over(self, place=FIRST_TAG):
        """Planned. The new master. A node gives up after 5 s, for example on a
        slow machine; then it is asked again."""
        old = self.master_of(place)
        for _ in range(5):
            self.replicas_of(old)[0]("CLUSTER", "FAILOVER")
            try:
                return self.wait_moved(place, old, 8.0)
            except AssertionError:
                pass
        return self.wait_moved(place, old)

    def begin_move(self, place, target):
        """The slot is being moved: keys that are not at its source any more
        are asked for at the target. Returns the source."""
        slot, source = key_slot(place), self.master_of(place)
        target("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        return source

    def move_keys(self, place, source, target, most=None):
        """Moves the keys of the slot, or so many of them. Returns how many."""
        moved = 0
        while most is None or moved < most:
            keys = source("CLUSTER", "GETKEYSINSLOT", key_slot(place),
                          min(100, most - moved) if most else 100)
            if not keys:
                break
            source("MIGRATE", HOST, target.port, "", 0, 10000, "KEYS", *keys)
            moved += len(keys)
        return moved

    def end_move(self, place, target):
        """The target has the slot now: it says so itself, then all others."""
        others = [node for node in self.masters() if node is not target]
        for node in [target, *others]:
            node("CLUSTER", "SETSLOT", key_slot(place), "NODE", target.id)

    def move(self, place, target):
        """Resharding of one slot, as redis-cli does it. Programs may go on."""
        source = self.begin_move(place, target)
        while True:
            self.move_keys(place, source, target)
            try:
                self.end_move(place, target)
                return source
            except RedisError as error:  # a key was written meanwhile
                assert "still hold keys" in str(error), error

    def __call__(self, *words):
        """Runs a command at the master of its key, the second word."""
        return wait_until(lambda: self.master_of(words[1]),
                          "the slot has a master", 40.0)(*words)

    def wipe(self):
        """Deletes all data; ends the programs' connections."""
        for node in self.masters():
            node.wipe()
