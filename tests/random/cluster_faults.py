"""Faults of a Redis Cluster. Each hits the master of one shard, or all nodes in
turn; programs know of it what the cluster tells them."""

import threading
import time

from cluster_store import TAGS
from fault_table import fault, nap
from harness.redis import RedisClient
from harness.wait import wait_until

SHORT_S = (0.1, 0.8)  # no failover
LONG_S = (2.0, 4.0)   # more than it takes to be counted as down
PATIENCE_S = 40.0


class Hit:
    """A shard whose master a fault is about."""

    def __init__(self, world, name, shard):
        self.world = world
        self.name = name
        self.shard = shard
        self.place = TAGS[shard]
        self.old = world.store.master_of(self.place)
        self.shards = {other for other in range(len(TAGS))
                       if world.store.node_of_shard(other) is self.old}
        self.before = world.before_loss()
        self.begun = time.time()

    def wait_moved(self):
        return self.world.store.wait_moved(self.place, self.old, PATIENCE_S)

    def moved(self):
        return self.world.store.master_of(self.place) is not self.old

    def over(self, down=None):
        """Another node has the shard, or the same again. down: when the old
        one wrote for the last time."""
        world = self.world
        up = time.time()
        state = world.state()
        world.facts.restarts.append(up)
        world.add_loss(self.name, down or up, up, state, self.before,
                       replicated=world.plan.wait_replicas > 0)

    def end(self):
        """Once all is whole."""
        self.world.store.wait_whole()
        self.world.facts.hits.append(
            (self.name, self.shard, self.shards, self.begun, time.time()))


def some_shard(world, rng, name):
    return Hit(world, name, rng.randrange(len(TAGS)))


def cut_replica(node):
    """What the node writes from now on is nowhere else. (A replica that is
    stopped or killed would find it in its socket.)"""
    node("ACL", "SETUSER", "default", "-psync", "-sync")
    node("CLIENT", "KILL", "TYPE", "replica")


def mend_replica(node):
    node("ACL", "SETUSER", "default", "+psync", "+sync")


@fault
def shard_failover(world, rng):
    """Planned: nothing may be lost."""
    hit = some_shard(world, rng, "shard-failover")
    world.store.fail_over(hit.place)
    hit.over()
    hit.end()


@fault
def shard_kill(world, rng):
    """kill -9 of a master, whose replica was cut off just before or not. Or it
    is there again before anybody has missed it."""
    hit = some_shard(world, rng, "shard-kill")
    if rng.random() < 0.5:
        cut_replica(hit.old)
        nap(rng, 0.1, 1.0)
    hit.old.kill()
    down = time.time()
    if rng.random() < 0.3:
        hit.old.start()
    hit_master = wait_until(lambda: world.store.master_of(hit.place),
                            "the shard has a master", PATIENCE_S)
    world.note(f"{hit_master.name} has shard {hit.shard}")
    hit.over(down)
    if not hit.old.process.running():
        nap(rng, 0.0, 1.0)
        hit.old.start()
    hit.end()


@fault
def all_masters_killed(world, rng):
    """In turn, each once the cluster is whole again."""
    del rng
    for shard in range(len(TAGS)):
        hit = Hit(world, "all-masters-killed", shard)
        hit.old.kill()
        down = time.time()
        hit.wait_moved()
        hit.over(down)
        hit.old.start()
        hit.end()


def hang(world, rng, name, stop):
    """stop(node, seconds) lets a master hang; returns what waits for its end,
    and what tells whether it has ended by itself."""
    hit = some_shard(world, rng, name)
    long = rng.random() < 0.6
    down = time.time()
    wait, is_over = stop(hit.old,
                         rng.uniform(*(LONG_S if long else SHORT_S)))
    hit.old.frozen = True  # not to be asked
    try:
        if long:
            wait_until(lambda: hit.moved() or is_over(),
                       "another node takes over", PATIENCE_S)
    finally:
        wait()
        hit.old.frozen = False
    if hit.moved():
        hit.over(down)
    hit.end()


@fault
def node_stop(world, rng):
    def stop(node, seconds):
        node.process.freeze()
        end = time.monotonic() + seconds

        def wait():
            time.sleep(max(0.0, end - time.monotonic()))
            node.process.thaw()
        return wait, lambda: False
    hang(world, rng, "node-stop", stop)


@fault
def node_sleep(world, rng):
    def stop(node, seconds):
        client = RedisClient(node.path)
        thread = threading.Thread(target=client,
                                  args=("DEBUG", "SLEEP", f"{seconds:.3f}"))
        thread.start()
        return thread.join, lambda: not thread.is_alive()
    hang(world, rng, "node-sleep", stop)


@fault
def slot_move(world, rng):
    """Resharding of the slot of a shard, under load."""
    hit = some_shard(world, rng, "slot-move")
    target = rng.choice([node for node in world.store.masters()
                         if node is not hit.old])
    with world.store.moving:
        world.store.move(hit.place, target)
    hit.over()
    hit.end()


@fault
def rolling_restart(world, rng):
    """Of all nodes: a master is made a replica before. Nothing may be lost."""
    for node in rng.sample(world.store.nodes, len(world.store.nodes)):
        shards = [shard for shard in range(len(TAGS))
                  if world.store.node_of_shard(shard) is node]
        hits = [Hit(world, "rolling-restart", shard) for shard in shards]
        if hits:
            world.store.fail_over(hits[0].place)
            for hit in hits:
                hit.over()
        node.stop()
        node.start()
        world.store.wait_whole()
        for hit in hits:
            hit.end()


@fault
def bus_cut(world, rng):
    """A master is cut off from the other nodes, from its replica most often,
    too; programs still reach it."""
    hit = some_shard(world, rng, "bus-cut")
    world.store.cut.add(hit.old.id)
    if rng.random() < 0.7:
        cut_replica(hit.old)
    try:
        if rng.random() < 0.3:
            nap(rng, *SHORT_S)
        else:
            wait_until(lambda: hit.old.state()["cluster_state"] == "fail",
                       "it knows that it is alone", PATIENCE_S)
            hit.wait_moved()
            nap(rng, 0.0, 2.0)
    finally:
        world.store.cut.clear()
        mend_replica(hit.old)
    world.store.wait_whole()
    if hit.moved():
        hit.over()
    hit.end()
