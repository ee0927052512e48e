"""The points that bench/scale is fitted to: what each part takes of a core. CPU
time and bytes alone, which another load of the machine changes least."""

import json
import os
import statistics
import subprocess
import time

from harness.redis import Redis
from harness.sandbox import Sandbox, free_port
from harness.settings import BUILD, ROOT
from harness.wait import wait_until

from . import memory
from .measure import WARM_UP, cpu_s, load, run_load
from .systems import FRONTS, SYSTEMS, Running, behind

BENCH = ROOT / "bench"
FILL = BUILD / "bench" / "fill"
DAY_S = 86400  # a window that does not end meanwhile
BATCHES = (1, 4, 16, 64, 128)
CONNECTIONS = (4, 16, 64)
STRATEGIES = ("setnx", "set")
REQUESTS = 20_000
# The window before had as many ids, or `set` would have too few sets.
BEFORE = 200_000


def ids_for(batch):
    """Some seconds of Redis at most."""
    return min(200_000, 10_000 * batch)


def traffic(redis):
    """Bytes in and out so far."""
    info = dict(line.split(":", 1) for line in
                redis("INFO", "stats").splitlines() if ":" in line)
    return tuple(int(info[f"total_net_{way}_bytes"])
                 for way in ("input", "output"))


def batch_point(strategy, batch):
    """A Redis with append-only file and one replica, which gets batches of that
    size, every id new."""
    sandbox = Sandbox()
    try:
        redis = Redis(sandbox, port=free_port(), bind="127.0.0.1",
                      auto_aof_rewrite_percentage=0,
                      repl_diskless_sync_delay=0).start()
        replica = Redis(sandbox, name="replica", replicaof="127.0.0.1 "
                        f"{redis.config['port']}").start()
        wait_until(lambda: "link_status:up" in replica("INFO", "replication"),
                   "the replica follows", 30.0)
        redis("SET", f"verve:{{0}}:count:"
              f"{int(time.time()) // DAY_S * DAY_S - DAY_S}", BEFORE)
        env = {"VERVE_REDIS_URL": redis.url, "VERVE_DEDUP_STRATEGY": strategy,
               "VERVE_WINDOW_SECONDS": str(DAY_S)}

        def fill(ids, bits, most):
            subprocess.run([str(word) for word in (FILL, ids, bits, most)],
                           check=True, env=env, stdout=subprocess.DEVNULL)

        # Scripts are known, and the sets of `set` are there. Other ids follow.
        fill(BEFORE, 63, 128)
        redis("WAIT", 1, 20000)
        ids = ids_for(batch)
        pids = [[server.process.pid] for server in (redis, replica)]
        before = [*map(cpu_s, pids), *traffic(redis)]
        fill(ids, 31, batch)
        redis("WAIT", 1, 20000)
        after = [*map(cpu_s, pids), *traffic(redis)]
        count = ids / batch
        took = [(b - a) / count for a, b in zip(before, after)]
        return {"strategy": strategy, "batch": batch,
                "redis_us": round(took[0] * 1e6, 2),
                "replica_us": round(took[1] * 1e6, 2),
                "bytes_in": round(took[2]), "bytes_out": round(took[3])}
    finally:
        sandbox.close()


def front_point(front, connections, rounds=3):
    """A web server and its pool, every id new."""
    running = Running(SYSTEMS[behind("setnx", front)])
    try:
        options = ("-g", "unique")
        load(running.host, "-c", connections, *WARM_UP, *options)
        runs = [run_load(running, connections, ("-n", REQUESTS), options)
                for _ in range(rounds)]

        def median(key, digits=1):
            return round(statistics.median(run[key] for run in runs), digits)
        return {"front": front, "connections": connections,
                "ids_per_batch": median("ids_per_script", 2),
                **{part: median(part)
                   for part in ("web_us", "service_us", "redis_us")}}
    finally:
        running.close()


def bytes_per_id(strategy):
    """Redis's memory for an id, in a window like the one before."""
    run = memory.fill(strategy, 1_000_000, 31, 1_000_000)
    return round(run["bytes_per_id"], 1)


def callback_point():
    """bench/callbacks, the case "all well"."""
    subprocess.run([BENCH / "callbacks"], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "ROUNDS": "3", "JOBS": "20000",
                        "SECONDS": "1"})
    runs = json.loads((BUILD / "bench" / "callbacks.json").read_text())
    return {key: round(statistics.median(run[key] for run in runs["all well"]))
            for key in ("reporter_us", "redis_us")}


def measure():
    """All of them, as JSON."""
    return json.dumps({
        "date": time.strftime("%F"), "cores": os.cpu_count(),
        "callbacks": callback_point(),
        "bytes_per_id": {strategy: bytes_per_id(strategy)
                         for strategy in STRATEGIES},
        "batches": [batch_point(strategy, batch) for strategy in STRATEGIES
                    for batch in BATCHES],
        "fronts": [front_point(front, connections) for front in FRONTS
                   for connections in CONNECTIONS]}, indent=1)
