"""A Redis Cluster behind the programs: three masters with a shard each, and a
replica of each master. The links between nodes go through relays, which can cut
a node off from the others while the programs still reach it."""

import threading

from facts import RECORDS, merge, read_recorded, read_state
from harness.cluster import Cluster
from harness.redis import RedisClient, RedisError
from harness.shards import TAGS as TAGS_OF
from harness.wait import wait_until
from relay import Relay, end_all

TAGS = TAGS_OF[3]
SIGNATURE = b"RCmb"          # of a message between nodes (cluster.h of Redis)
SENDER = slice(40, 80)       # the id of the node that sends it


class BusRelay(Relay):
    """In front of the bus port of a node. Links of nodes that are cut off end,
    and begin no more."""

    def __init__(self, node, cut):
        super().__init__(node.bus_port)
        self.node = node
        self.cut = cut  # ids, shared by all relays
        self.senders = {}

    def pass_on(self, source, sink):
        link = frozenset((source, sink))
        try:
            while data := source.recv(65536):
                if data.startswith(SIGNATURE):
                    self.senders.setdefault(link, data[SENDER].decode())
                if self.ended or self.cut & {self.node.id,
                                             self.senders.get(link)}:
                    break
                sink.sendall(data)
        except OSError:
            pass
        end_all((source, sink))


class ClusterReader:
    """Reads the state of all shards by connections of its own."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.clients = {}

    def at(self, key, read):
        """read(client) at the node that has the key now."""
        error = None
        for node in self.nodes:
            if not node.answers():
                continue
            try:
                client = self.clients.get(node) or RedisClient(node.path, 1.0)
                self.clients[node] = client
                return read(client)
            except RedisError as refused:  # MOVED, most often
                error = refused
            except OSError as lost:
                error = lost
                self.clients.pop(node, None)
        raise error or OSError("no node answers")

    def read(self):
        states = [self.at(f"verve:{tag}:sealed",
                          lambda client, t=tag: read_state(client, t, ()))
                  for tag in TAGS]
        return merge(states, self.at(RECORDS, read_recorded))


class ClusterStore(Cluster):
    """As servers.Store, as far as the world needs it."""

    def __init__(self, sandbox, environment, fsync, replicas=1):
        super().__init__(sandbox, replicas=replicas, appendfsync=fsync)
        self.cut = set()
        self.moving = threading.Lock()  # while a slot is on two nodes
        self.relays = []
        for node in self.nodes:
            node.environment = environment
            self.relays.append(BusRelay(node, self.cut))
            node.bus_port = self.relays[-1].port
            node.config["cluster_announce_bus_port"] = node.bus_port
        sandbox.on_close(self.close_relays)
        self.own_reader = self.reader()
        self.start()

    def close_relays(self):
        for relay in self.relays:
            relay.close()

    def reader(self):
        return ClusterReader(self.nodes)

    def state(self):
        """Once each shard has a master that answers."""
        def look():
            try:
                return self.own_reader.read()
            except (OSError, RedisError):
                return None
        return wait_until(look, "all shards answer", 40.0)

    def node_of_shard(self, shard):
        return self.master_of(TAGS[shard])
