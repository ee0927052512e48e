"""The faults of Redis with sentinels, as those of faults.py. Each ends when all
servers follow the new master."""

import threading
import time

from fault_table import fault, nap
from facts import Loss, read_state
from harness.sentinel import FAILOVER_MS
from harness.wait import wait_until

ASLEEP_S = 8.0  # longer than Sentinel waits
SPLIT_S = 4.0
PAUSE_MS = 5000


def recorded(world, old):
    """The last window that the old master has a record of."""
    if old.client and old.process.running():
        return read_state(old.client).recorded
    return world.sampler.latest.recorded


def follow(world, name, down=None, replicated=False, before=None):
    """A replica takes over, and then the programs see it. down: since when the
    old master has said nothing; None: until they have left it. before: what is
    known of the time before, if the old master can't be asked."""
    store, old = world.store, world.store.master
    new = store.wait_promoted()
    store.calm()
    world.note(f"{new.name} is promoted")
    if down is None:
        wait_until(lambda: store.is_named(new), "the sentinels name it", 60.0,
                   0.02)
        wait_until(store.is_left, "the programs leave the old master", 30.0,
                   0.002)
        down = time.time()
        world.note("the old master is left")
    before = before or {**world.before_loss(), "recorded": recorded(world, old)}
    state = read_state(new.client)
    up = store.take_over(new)
    world.note("the programs may see it")
    wait_until(lambda: new.programs() >= store.programs,
               "the programs see it", 30.0, 0.002)
    world.note("all see it")
    world.facts.restarts.append(up)
    world.facts.losses.append(Loss(
        name, down, up, state, seen=time.time(), replicated=replicated and
        world.plan.wait_replicas > 0, **before))


@fault
def sentinel_crash(world, rng):
    """kill -9 of the master. It comes back when another has taken over, and
    is a master until the sentinels have found it."""
    store, old = world.store, world.store.master
    store.keep_programs_away()
    store.hurry()
    before = world.before_loss()
    old.kill()
    follow(world, "sentinel-crash", time.time(), True, before)
    nap(rng, 0.0, 3.0)
    old.start()
    store.settle()


@fault
def sentinel_comeback(world, rng):
    """The master is restarted while the failover is under way: programs and a
    replica may use it until the sentinels name another."""
    store, old = world.store, world.store.master
    store.keep_programs_away()
    store.hurry()
    old.kill()
    wait_until(lambda: store.is_down(), "it is down", 30.0)
    nap(rng, 0.0, 0.5)
    old.start()
    follow(world, "sentinel-comeback")
    store.settle()


@fault
def sentinel_lag(world, rng):
    """A crash after the replicas have got nothing for a while."""
    store, old = world.store, world.store.master
    store.keep_programs_away()
    store.stop_replicating()
    nap(rng, 0.5, 2.0)
    store.hurry()
    before = world.before_loss()
    old.kill()
    follow(world, "sentinel-lag", time.time(), True, before)
    old.start()
    store.settle()


@fault
def sentinel_sleep(world, rng):
    """The master hangs, and wakes up when another has taken over."""
    store, old = world.store, world.store.master
    store.keep_programs_away()
    store.hurry()
    before = world.before_loss()
    old.freeze()
    down = time.time()
    timer = threading.Timer(ASLEEP_S + rng.uniform(0.0, 1.0), old.thaw)
    timer.start()
    follow(world, "sentinel-sleep", down, True, before)
    timer.join()
    store.settle()


@fault
def sentinel_planned(world, rng):
    """While the old master lives: it says OK until it is left."""
    del rng
    store = world.store
    store.keep_programs_away()
    store.group.fail_over()
    follow(world, "sentinel-planned")
    store.settle()


@fault
def sentinel_switch(world, rng):
    """As docs/sentinel.md says, without a loss."""
    del rng
    store = world.store
    store.keep_programs_away()
    store("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
    store.group.fail_over()
    follow(world, "sentinel-switch", replicated=True)
    store.settle()


@fault
def sentinel_partition(world, rng):
    """The programs, the master and perhaps one sentinel are cut off together.
    The others promote a replica; the programs go on at the old master, unless
    redis.wait_replicas forbids it."""
    store = world.store
    store.keep_programs_away()
    inside = [rng.choice(store.group.sentinels)] if rng.random() < 0.5 else []
    store.hurry()
    store.part(inside)
    world.note(f"{len(inside)} sentinels are with the programs")
    new = store.wait_promoted()
    # Until it follows the new master, the other replica may go on to
    # acknowledge what the old one writes, if the network is whole by then.
    early = rng.random() < 0.3
    if not early:
        wait_until(lambda: store.is_followed(new), "the other follows", 30.0)
    nap(rng, 0.0, SPLIT_S)
    world.note("the network is whole again")
    store.heal()
    follow(world, "sentinel-partition", replicated=not early)
    store.settle()


@fault
def stop_sentinel(world, rng):
    """A sentinel hangs: programs ask another."""
    one = rng.choice(world.store.group.sentinels)
    one.freeze()
    nap(rng, 0.5, FAILOVER_MS / 1000)
    one.thaw()


@fault
def kill_sentinel(world, rng):
    one = rng.choice(world.store.group.sentinels)
    one.kill()
    nap(rng, 0.0, 2.0)
    one.start()
    world.store.group.wait_known()
