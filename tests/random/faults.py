"""The faults of one Redis, and of verve's programs. A fault after which Redis
may have less than before reads what Redis has left before the programs can."""

import os
import signal
import time

from facts import Ask, State
from fault_table import APPLIED, fault, nap
from harness.load import Load, accept
from harness.wait import wait_until
from plan import DURING

CROWD = 40000  # ids
FOR_EVER = 1e18
# During these, and for PAUSE_S afterwards, a responder may be unable to tell
# what it remembers.
SILENCING = {"stop-redis", "debug-sleep", "client-pause", "maxmemory",
             "stop-responder"}
PAUSE_S = 1.5


# Redis, and all that it has confirmed is kept.

@fault
def kill_redis(world, rng):
    before = world.before_loss()
    down = world.store.kill()
    nap(rng, 0.0, 1.5)
    world.store.master.start()
    come_back(world, "kill-redis", down, before)


def come_back(world, name, down, before, **more):
    """Redis runs with whatever data it has now: it is read, then shown."""
    state = world.state()
    world.store.publish()
    up = time.time()
    world.wake_all()
    world.facts.restarts.append(up)
    world.add_loss(name, down, up, state, before, **more)
    if world.plan.replica and world.store.replica:
        world.store.wait_replica()


@fault
def stop_redis(world, rng):
    world.store.master.process.freeze()
    nap(rng, 0.1, 1.5)
    world.store.master.process.thaw()


@fault
def debug_sleep(world, rng):
    world.store("DEBUG", "SLEEP", f"{rng.uniform(0.1, 1.5):.3f}")


@fault
def client_kill(world, rng):
    for _ in range(rng.randint(1, 3)):
        world.store("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        nap(rng, 0.0, 0.3)


@fault
def client_pause(world, rng):
    world.store("CLIENT", "PAUSE", rng.randint(100, int(PAUSE_S * 1000)),
                rng.choice(["ALL", "WRITE"]))


@fault
def script_flush(world, rng):
    for _ in range(rng.randint(1, 5)):
        world.store("SCRIPT", "FLUSH")
        nap(rng, 0.0, 0.1)


@fault
def maxmemory(world, rng):
    world.store("CONFIG", "SET", "maxmemory", "1")
    nap(rng, 0.2, 1.5)
    world.store("CONFIG", "SET", "maxmemory", "0")


@fault
def failover(world, rng):
    """To a replica that follows; what was ok a moment ago may be missing."""
    world.store.wait_replica()
    before = world.before_loss()
    down = world.store.kill()
    nap(rng, 0.0, 0.5)
    world.store.fail_over()
    come_back(world, "failover", down, before,
              replicated=world.plan.wait_replicas > 0)
    world.store.add_replica()


# Redis, and confirmed data is lost.

def flush(world, rng, name):
    before = world.before_loss()
    down = time.time()
    world.store("FLUSHALL")
    up = time.time()
    world.add_loss(name, down, up,
                   State(down, up, world.facts.clock.now_redis()), before)
    if rng.random() < 0.5:
        world.store("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@fault
def flushall(world, rng):
    flush(world, rng, "flushall")
    if rng.random() < 0.4:
        nap(rng, 0.0, 0.7)  # within the same second
        flush(world, rng, "flushall")


@fault
def flushall_newcomer(world, rng):
    """A reporter that knows nothing comes while those that know are stopped."""
    reporters = list(world.reporters)
    for reporter in reporters:
        reporter.process.freeze()
    flush(world, rng, "flushall-newcomer")
    newcomer = world.add_reporter(own_file=True)
    world.newcomers.add(newcomer.report_path)
    nap(rng, 0.0, 0.5)
    for reporter in reporters:
        reporter.process.thaw()


@fault
def snapshot(world, rng):
    """Redis is restarted with data that is some seconds old."""
    world.store("SAVE")
    world.note("saved")
    nap(rng, 0.2, 4.0)
    before = world.before_loss()
    down = world.store.kill()
    nap(rng, 0.0, 0.7)
    world.store.restart_from_snapshot()
    come_back(world, "snapshot", down, before)


def cut(world, rng):
    """Up to the whole file, most often a little."""
    world.store.cut_file(lambda size: int(size ** rng.uniform(0.5, 1.0)))


@fault
def aof_cut(world, rng):
    before = world.before_loss()
    down = world.store.kill()
    cut(world, rng)
    nap(rng, 0.0, 0.7)
    world.store.master.start()
    come_back(world, "aof-cut", down, before)


@fault
def failover_lag(world, rng):
    """To a replica that has followed to some moment, and no longer. What is
    ok later is lost; with redis.wait_replicas nothing is."""
    world.store.wait_replica()
    world.store.replica("REPLICAOF", "NO", "ONE")
    world.note("the replica follows no more")
    nap(rng, 0.1, 3.0)
    before = world.before_loss()
    down = world.store.kill()
    world.store.fail_over()
    come_back(world, "failover-lag", down, before,
              replicated=world.plan.wait_replicas > 0)
    world.store.add_replica()


@fault
def failover_held(world, rng):
    """To a replica that is connected, but gets nothing more."""
    world.store.wait_replica()
    world.store.relay.hold()
    nap(rng, 0.1, 3.0)
    before = world.before_loss()
    down = world.store.kill()
    world.store.fail_over()
    come_back(world, "failover-held", down, before,
              replicated=world.plan.wait_replicas > 0)
    world.store.add_replica()


@fault
def power_cut(world, rng):
    """Redis and the pool are killed: nobody is left to remember."""
    before = world.before_loss()
    down = world.store.kill()
    end_responders(world, world.pids(), signal.SIGKILL)
    if rng.random() < 0.5 and world.plan.fsync != "always":
        world.note("a cut file, too")
        cut(world, rng)
    nap(rng, 0.0, 1.0)
    world.store.master.start()
    come_back(world, "power-cut", down, before)
    world.mend_pool()


# Redis's clock.

@fault
def blip(world, rng):
    """The clock is ahead for a moment in which nobody asks."""
    window_s = world.plan.window_s
    ahead = rng.choice([2.0 * window_s, 10.0 * window_s, 3600.0])
    step_for_a_moment(world, rng, ahead)


def step_for_a_moment(world, rng, ahead):
    offset = world.facts.clock.steps[-1][1]
    world.clients.hold()
    asleep = list(world.reporters) if rng.random() < 0.7 or ahead > 60 else []
    for reporter in asleep:
        reporter.process.freeze()
    try:
        before = world.before_loss()
        down = time.time()
        world.step_clock(offset + ahead)
        nap(rng, 0.1, 0.35)
        world.step_clock(offset)
        state = world.state()
        world.add_loss("blip", down, time.time(), state, before,
                       forward_s=ahead)
    finally:
        for reporter in asleep:
            reporter.process.thaw()
        world.clients.release()


@fault
def blip_crowd(world, rng):
    """The same among so many ids that Redis deletes a part of them. They are
    asked for again in the same window."""
    crowd(world)
    step_for_a_moment(world, rng, 3600.0)
    crowd(world)


def crowd(world):
    numbers = range(10 ** 6, 10 ** 6 + CROWD)
    load = Load(world.sandbox, [world.front.host],
                [accept(number) for number in numbers], 32).finish()
    for row in load.rows:
        world.facts.add(Ask(numbers[row.index], None, row.start_s, row.end_s,
                            row.status, row.window if row.ok else None))


def step(world, rng, seconds):
    offset = world.facts.clock.steps[-1][1]
    world.step_clock(offset + seconds)
    if rng.random() < 0.5:
        nap(rng, 0.3, 2.5)
        world.step_clock(offset)


@fault
def step_forward(world, rng):
    step(world, rng, rng.uniform(0.2, 20.0))


@fault
def step_back(world, rng):
    step(world, rng, -rng.uniform(0.2, 5.0))


# verve's programs.

def some(rng, all_of_them):
    """One of them, or all."""
    if rng.random() < 0.3:
        return list(all_of_them)
    return [rng.choice(list(all_of_them))]


def end_responders(world, pids, number):
    for pid in pids:
        world.signal_responder(pid, number)
    world.facts.ends.append(time.time())
    if number == signal.SIGKILL:
        world.facts.silences.append((time.time(), FOR_EVER))


@fault
def kill_responder(world, rng):
    end_responders(world, some(rng, world.pids()), signal.SIGKILL)
    nap(rng, 0.0, 1.0)
    world.mend_pool()


@fault
def term_responder(world, rng):
    end_responders(world, some(rng, world.pids()), signal.SIGTERM)
    nap(rng, 0.0, 1.0)
    world.mend_pool()


@fault
def stop_responder(world, rng):
    pids = some(rng, world.pids())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    nap(rng, 0.1, 1.5)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@fault
def kill_reporter(world, rng):
    killed = some(rng, world.reporters)
    for reporter in killed:
        reporter.kill()
    nap(rng, 0.0, 3.0)
    for reporter in killed:
        reporter.start()


@fault
def kill_worker(world, rng):
    """One process of a reporter, which starts another."""
    reporter = rng.choice(world.reporters)
    workers = wait_until(reporter.workers, "the reporter has workers")
    os.kill(workers[rng.choice(sorted(workers))], signal.SIGKILL)


@fault
def term_reporter(world, rng):
    ended = some(rng, world.reporters)
    for reporter in ended:
        reporter.term()
    nap(rng, 0.0, 2.0)
    for reporter in ended:
        reporter.start()


@fault
def stop_reporter(world, rng):
    stopped = some(rng, world.reporters)
    for reporter in stopped:
        reporter.process.freeze()
    nap(rng, 0.3, 4.0)
    for reporter in stopped:
        reporter.process.thaw()


def wait_for_phase(world, phase):
    """Until that part of a window, by Redis's clock."""
    window_s = world.plan.window_s
    now = world.facts.clock.now_redis()
    time.sleep((phase * window_s - now) % window_s)


# What a fault may happen during. Each returns what ends it.

def no_reporter(world, rng):
    reporters = list(world.reporters)
    for reporter in reporters:
        reporter.kill()
    nap(rng, 0.0, 1.0)

    def end():
        nap(rng, 0.0, 1.0)
        for reporter in reporters:
            reporter.start()
    return end


def stopped_reporter(world, rng):
    process = rng.choice(world.reporters).process
    process.freeze()
    world.wake.append(process.thaw)
    return world.wake_all


def stopped_responder(world, rng):
    pid = rng.choice(world.pids())
    os.kill(pid, signal.SIGSTOP)
    world.wake.append(lambda: os.kill(pid, signal.SIGCONT))
    return world.wake_all


OUTER = {"no-reporter": no_reporter, "stopped-reporter": stopped_reporter,
         "stopped-responder": stopped_responder}


def apply(world, plan_step, rng):
    world.note(f"{plan_step.name} begins")
    begun = time.time()
    end = plan_step.during and OUTER[plan_step.during](world, rng)
    try:
        APPLIED[plan_step.fault](world, rng)
    finally:
        if end:
            end()
    if plan_step.fault in SILENCING or plan_step.during == "stopped-responder":
        world.facts.silences.append((begun, time.time() + PAUSE_S))
    world.note(f"{plan_step.name} is over")


assert set(OUTER) == set(DURING)
