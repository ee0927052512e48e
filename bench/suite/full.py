"""Three masters with a shard each and one Redis, in full batches: bench/fill
counts ids through the responder's counters, with no web server, no FastCGI and
no id cache. What is left is what several shards may make dearer."""

import json
import subprocess
import sys
import time

from harness.sandbox import Sandbox
from harness.settings import BUILD
from harness.shards import TAGS

from .measure import cpu_s
from .systems import STRATEGIES, SYSTEMS, behind, servers_of, start_redis

FILL = BUILD / "bench" / "fill"
DAY_S = 86400  # a window that does not end meanwhile
BATCH = 128
BITS = 31
FRONT = "nginx"  # in the names of the systems; it is not started
PAIRS = [(f"{strategy}, 3 shards", f"{strategy}, TCP")
         for strategy in STRATEGIES]


class Filled:
    """The Redis of a system, into which ids are counted."""

    def __init__(self, system, ids):
        """ids: about as many as the window will have."""
        self.sandbox = Sandbox()
        try:
            redis = start_redis(self.sandbox, system)
            self.redis = redis
            self.pids = [server.process.pid
                         for server in servers_of(system, redis)]
            self.next = 0
            self.env = {"VERVE_REDIS_URL": redis.url,
                        "VERVE_WINDOW_SECONDS": DAY_S,
                        "VERVE_LOG_LEVEL": "error", **system.settings,
                        **self.sandbox.settings}
            self.count_before(ids)
            self.count(BATCH * 10)  # the scripts are known
        except BaseException:
            self.close()
            raise

    def count_before(self, ids):
        """The window before had as many, which `set` goes by."""
        tags = TAGS[int(self.env.get("VERVE_REDIS_SHARDS", 1))]
        before = int(time.time()) // DAY_S * DAY_S - DAY_S
        for tag in tags:
            key = f"verve:{tag}:count:{before}"
            owner = self.redis.owner(key) if len(tags) > 1 else self.redis
            owner("SET", key, ids // len(tags))

    def scripts(self):
        return self.redis.calls("evalsha") + self.redis.calls("eval")

    def count(self, ids):
        """Counts so many new ids. The result has the CPU time for each."""
        scripts, redis_s = self.scripts(), cpu_s(self.pids)
        done = subprocess.run(
            [str(word) for word in (FILL, ids, BITS, BATCH, self.next)],
            check=True, stdout=subprocess.PIPE,
            env={name: str(value) for name, value in self.env.items()})
        self.next += ids
        run = {"service_us": json.loads(done.stdout)["cpu_s"] / ids * 1e6,
               "redis_us": (cpu_s(self.pids) - redis_s) / ids * 1e6,
               "ids_per_script": ids / (self.scripts() - scripts)}
        return {**run, "behind_us": run["service_us"] + run["redis_us"]}

    def close(self):
        self.sandbox.close()


def take(names, slices, ids):
    """The runs of both systems, ([...], [...]); each is first in turn."""
    filled = []
    try:
        for name in names:
            filled.append(Filled(SYSTEMS[behind(name, FRONT)], slices * ids))
        runs = ([], [])
        for number in range(slices):
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                runs[which].append(filled[which].count(ids))
        return runs
    finally:
        for each in filled:
            each.close()


def run(wanted, slices, ids):
    """Each pair whose systems are wanted."""
    pairs = []
    for a, b in PAIRS:
        if {behind(a, FRONT), behind(b, FRONT)} <= wanted.keys():
            print(f"  {a} / {b}, {BATCH} ids a script", file=sys.stderr,
                  flush=True)
            pairs.append({"a": a, "b": b, "runs": take((a, b), slices, ids)})
    return pairs
