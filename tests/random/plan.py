"""What a run does: all of it follows from its seed."""

import random
from dataclasses import dataclass, field

# Faults, and how often each is chosen. Those of LOSSES may lose what Redis has
# confirmed.
LOSSES = {"flushall": 2, "flushall-newcomer": 1, "snapshot": 2, "aof-cut": 3,
          "failover-lag": 1, "failover-held": 1, "power-cut": 2, "blip": 2}
OTHERS = {"kill-redis": 2, "stop-redis": 1, "debug-sleep": 1,
          "client-kill": 1, "client-pause": 1, "script-flush": 1,
          "maxmemory": 1, "step-forward": 1, "step-back": 1, "failover": 2,
          "kill-responder": 2, "stop-responder": 1, "term-responder": 1,
          "kill-reporter": 2, "stop-reporter": 1, "term-reporter": 1,
          "kill-worker": 1}
FAULTS = {**LOSSES, **OTHERS}
# Of a cluster, and those of the programs.
CLUSTER = {"shard-failover": 2, "shard-kill": 4, "all-masters-killed": 1,
           "node-stop": 3, "node-sleep": 2, "slot-move": 3,
           "rolling-restart": 1, "bus-cut": 3, "kill-responder": 1,
           "stop-responder": 1, "kill-reporter": 1, "stop-reporter": 1,
           "kill-worker": 1}
MOST_CLUSTER = 4  # each takes some seconds
# It needs a run of its own: a long window with many ids.
ALONE = "blip-crowd"
ALONE_SHARE = 0.05
# Of Redis with sentinels; the first lot makes a replica take over.
FAILOVERS = {"sentinel-crash": 2, "sentinel-comeback": 1, "sentinel-lag": 1,
             "sentinel-sleep": 1, "sentinel-planned": 1, "sentinel-switch": 1,
             "sentinel-partition": 2}
BESIDE = {"stop-sentinel": 1, "kill-sentinel": 1, "client-kill": 1,
          "script-flush": 1, "kill-responder": 1, "stop-responder": 1,
          "term-responder": 1, "kill-reporter": 1, "stop-reporter": 1,
          "term-reporter": 1, "kill-worker": 1}
SENTINEL = {**FAILOVERS, **BESIDE}
MOST_FAILOVERS = 2
TOPOLOGIES = {"single": FAULTS, "cluster": CLUSTER, "sentinel": SENTINEL}
NAMES = [*dict.fromkeys([*FAULTS, *CLUSTER, *SENTINEL]), ALONE]
# These take away what appendfsync = always has promised.
CONTRADICT_ALWAYS = ("aof-cut", "snapshot")
FIRST_S = (2.0, 5.0)  # before the first fault
RESTS_S = [(0.0, 0.4), (0.2, 3.5)]  # before each other
MOST = 8
MOST_LOSSES = 3  # else nothing is left to be told
# What some faults happen during.
DURING = {"no-reporter": 1, "stopped-reporter": 1, "stopped-responder": 1}
DURING_SHARE = 0.25
# The pauses of clients between two requests.
PACES_S = [(0.0, 0.03), (0.0, 0.03), (0.0, 0.2), (0.0, 2.0)]


@dataclass
class Step:
    rest_s: float
    phase: float  # at which part of a window it begins; None: wherever
    fault: str
    seed: int
    during: str = None

    @property
    def name(self):
        return f"{self.fault}/{self.during}" if self.during else self.fault


@dataclass
class Plan:
    seed: int
    front: str      # direct, lighttpd or nginx
    window_s: int
    strategy: str
    fsync: str
    reporters: int
    own_files: bool
    late_file: bool  # the folder of the file is away until the first loss
    cache_ids: int
    endpoints: float
    clients: int
    pace_s: tuple
    wait_replicas: int
    topology: str = "single"
    steps: list = field(default_factory=list)
    load_s: float = 15.0     # no fault begins later

    @property
    def replica(self):
        return self.wait_replicas > 0 or any(
            step.fault.startswith("failover") for step in self.steps)

    def rest_s(self, left_s):
        """How long the load goes on after the last fault."""
        if self.topology == "sentinel":
            return 2.0 * self.window_s
        return max(0.0, left_s)

    def describe(self):
        return (f"{self.topology} {self.front} window={self.window_s} {self.strategy} "
                f"fsync={self.fsync} reporters={self.reporters}"
                f"{' own files' if self.own_files else ''}"
                f"{' late file' if self.late_file else ''} "
                f"cache={self.cache_ids} endpoints={self.endpoints} "
                f"clients={self.clients} pace={self.pace_s} "
                f"wait={self.wait_replicas} "
                + ",".join(step.name for step in self.steps))


def choose_fault(rng, allowed, losses, weights):
    names = [name for name in allowed
             if losses < MOST_LOSSES or name not in LOSSES]
    names = names or allowed
    return rng.choices(names, [weights[name] for name in names])[0]


def choose_during(rng, fault):
    """None, unless the fault leaves those programs alone that are stopped."""
    alone = any(word in fault for word in (
        "reporter", "worker", "responder", "newcomer", "power", "blip"))
    if alone or rng.random() > DURING_SHARE:
        return None
    return rng.choices(list(DURING), list(DURING.values()))[0]


def make_steps(rng, allowed, weights, most=MOST):
    steps, losses = [], 0
    for i in range(most):
        fault = choose_fault(rng, allowed, losses, weights)
        losses += fault in LOSSES
        phase = rng.choice([None, None, 0.0, 0.5, 0.9])
        rest_s = rng.choice(RESTS_S) if i else FIRST_S
        steps.append(Step(rng.uniform(*rest_s), phase, fault,
                          rng.randrange(10 ** 9), choose_during(rng, fault)))
    return steps


def make_plan_alone(seed):
    return Plan(seed=seed, front="nginx", window_s=12, strategy="setnx",
                fsync="everysec", reporters=1, own_files=False,
                late_file=False, cache_ids=262144, endpoints=0.0, clients=2,
                pace_s=PACES_S[0], wait_replicas=0,
                steps=[Step(1.0, 0.0, ALONE, seed)])


def make_sentinel_steps(rng, allowed):
    """Failovers, with a fault of another kind before each."""
    failovers = [name for name in FAILOVERS if name in allowed]
    beside = [name for name in BESIDE if name in allowed]
    steps = []
    for _ in range(rng.randint(1, MOST_FAILOVERS)):
        for names, weights in ((beside, BESIDE), (failovers, FAILOVERS)):
            if not names or (names is beside and failovers and
                             rng.random() < 0.5):
                continue
            name = rng.choices(names, [weights[name] for name in names])[0]
            steps.append(Step(rng.uniform(1.0, 3.0),
                              rng.choice([None, None, 0.0, 0.5, 0.9]), name,
                              rng.randrange(10 ** 9)))
    return steps


def make_sentinel_plan(seed, allowed):
    rng = random.Random(f"sentinels {seed}")
    steps = make_sentinel_steps(rng, allowed or SENTINEL)
    return Plan(
        seed=seed, steps=steps, topology="sentinel", load_s=100.0,
        front=rng.choice(["direct", "direct", "lighttpd", "nginx"]),
        window_s=rng.choice([2, 2, 1, 3]),
        strategy=rng.choice(["setnx", "setnx", "set"]), fsync="everysec",
        reporters=rng.choice([1, 2]), own_files=False, late_file=False,
        cache_ids=rng.choice([262144, 262144, 64, 0]),
        endpoints=rng.choice([0.0, 0.1]), clients=rng.choice([2, 6]),
        pace_s=rng.choice(PACES_S), wait_replicas=rng.choice([0, 0, 1]))


def make_cluster_plan(seed, allowed):
    """Three shards on six nodes."""
    rng = random.Random(f"cluster plan {seed}")
    steps = make_steps(rng, list(allowed) or list(CLUSTER), CLUSTER,
                       MOST_CLUSTER)
    for step in steps:
        step.during = None
    return Plan(
        seed=seed, steps=steps, topology="cluster",
        front=rng.choice(["direct", "direct", "lighttpd", "nginx"]),
        window_s=rng.choice([2, 2, 3]),
        strategy=rng.choice(["setnx", "setnx", "set"]), fsync="everysec",
        reporters=2, own_files=rng.random() < 0.7, late_file=False,
        cache_ids=rng.choice([262144, 64, 0]),
        endpoints=rng.choice([0.0, 0.1, 0.1]), clients=8,
        pace_s=rng.choice(PACES_S[:3]), wait_replicas=int(rng.random() < 0.5))


def make_plan(seed, allowed=(), topology="single"):
    if topology == "cluster":
        return make_cluster_plan(seed, allowed)
    if topology == "sentinel":
        return make_sentinel_plan(seed, allowed)
    rng = random.Random(f"plan {seed}")
    if list(allowed) == [ALONE] or (not allowed and
                                    rng.random() < ALONE_SHARE):
        return make_plan_alone(seed)
    allowed = [name for name in allowed if name != ALONE]
    steps = make_steps(rng, list(allowed) or list(FAULTS), FAULTS)
    reporters = rng.choice([1, 2])
    plan = Plan(
        seed=seed, steps=steps,
        front=rng.choice(["direct", "direct", "lighttpd", "nginx"]),
        window_s=rng.choice([2, 2, 2, 1, 3]),
        strategy=rng.choice(["setnx", "setnx", "setnx", "set"]),
        fsync=rng.choice(["everysec", "everysec", "everysec", "always"]),
        reporters=reporters,
        own_files=reporters > 1 and rng.random() < 0.5,
        late_file=rng.random() < 0.3,
        cache_ids=rng.choice([262144, 262144, 64, 0]),
        endpoints=rng.choice([0.0, 0.1, 0.1]),
        clients=rng.choice([2, 6, 8]), pace_s=rng.choice(PACES_S),
        wait_replicas=int(rng.random() < 0.2))
    if any(step.fault in CONTRADICT_ALWAYS for step in steps):
        plan.fsync = "everysec"
    # Only a reporter that lives knows that there is no line yet.
    plan.late_file = plan.late_file and steps[0].during != "no-reporter" and \
        steps[0].fault.startswith("flushall")
    return plan
