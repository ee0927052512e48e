"""The cost of an id in Redis, in memory and time, as windows grow."""

import json
import subprocess
import sys
import time

from harness.redis import Redis
from harness.sandbox import Sandbox
from harness.settings import BUILD

from .measure import cpu_s

DAY_S = 86400
FILL = BUILD / "bench" / "fill"
SIZES = (100_000, 1_000_000, 10_000_000)
# Ids in the window and in the window before, on which the number of sets of the
# strategy `set` depends. At 1,100,000 Redis has just doubled its hash table
# (2^20).
CASES = (*(("setnx", ids, 0) for ids in SIZES), ("setnx", 1_100_000, 0),
         *(("set", ids, ids) for ids in SIZES), ("set", 1_000_000, 400_000),
         ("set", 1_000_000, 10_000_000), *(("set", ids, 0) for ids in SIZES),
         *(("hll", ids, 0) for ids in SIZES))
BITS = (31, 63)


def used_bytes(redis):
    for line in redis("INFO", "memory").splitlines():
        if line.startswith("used_memory:"):
            return int(line.partition(":")[2])
    raise ValueError("no used_memory")


def count(redis, strategy, ids, bits):
    """Counts that many ids in one long window; returns the output of fill."""
    done = subprocess.run(
        [str(FILL), str(ids), str(bits)], check=True, stdout=subprocess.PIPE,
        env={"VERVE_REDIS_URL": redis.url, "VERVE_WINDOW_SECONDS": str(DAY_S),
             "VERVE_DEDUP_STRATEGY": strategy})
    return json.loads(done.stdout)


def fill(strategy, ids, bits, before_ids):
    """The cost of ids in a window after a window with that many."""
    sandbox = Sandbox()
    try:
        redis = Redis(sandbox, appendonly="no").start()
        today = int(time.time()) // DAY_S * DAY_S
        redis("SET", f"verve:{{0}}:count:{today - DAY_S}", before_ids)
        # The first id brings scripts and other memory, 400 KB.
        count(redis, strategy, 1, bits)
        before, cpu = used_bytes(redis), cpu_s([redis.process.pid])
        done = count(redis, strategy, ids, bits)
        cpu = cpu_s([redis.process.pid]) - cpu
        counted = int(redis("GET", f"verve:{{0}}:count:{today}") or 0)
        return {"strategy": strategy, "ids": ids, "bits": bits,
                "before": before_ids, "counted": counted,
                "bytes_per_id": (used_bytes(redis) - before) / ids,
                "redis_us_per_id": cpu / ids * 1e6,
                "wall_us_per_id": done["seconds"] / ids * 1e6}
    finally:
        sandbox.close()


def run(most_ids):
    rows = []
    for strategy, ids, before in CASES:
        for bits in BITS:
            if ids > most_ids:
                continue
            rows.append(fill(strategy, ids, bits, before))
            print(f"  {strategy} {ids:,} ids of {bits} bits after "
                  f"{before:,}: {rows[-1]['bytes_per_id']:.2f} bytes, "
                  f"{rows[-1]['redis_us_per_id']:.2f} us",
                  file=sys.stderr, flush=True)
    return rows
