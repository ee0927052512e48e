"""What an id costs in Redis, in memory and time, as windows grow."""

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
# With how many ids in the window before, of those in this one: what `set`
# makes of a window depends on it.
CASES = (("setnx", 0), ("set", 1), ("set", 0), ("hll", 0))
BITS = (31, 63)


def used_bytes(redis):
    for line in redis("INFO", "memory").splitlines():
        if line.startswith("used_memory:"):
            return int(line.partition(":")[2])
    raise ValueError("no used_memory")


def fill(strategy, ids, bits, before_ids):
    """Counts so many ids in one long window, after one with so many."""
    sandbox = Sandbox()
    try:
        redis = Redis(sandbox, appendonly="no").start()
        today = int(time.time()) // DAY_S * DAY_S
        redis("SET", f"verve:{{0}}:count:{today - DAY_S}", before_ids)
        before, cpu = used_bytes(redis), cpu_s([redis.process.pid])
        done = subprocess.run(
            [str(FILL), str(ids), str(bits)], check=True,
            stdout=subprocess.PIPE, env={
                "VERVE_REDIS_URL": redis.url, "VERVE_WINDOW_SECONDS":
                str(DAY_S), "VERVE_DEDUP_STRATEGY": strategy})
        cpu = cpu_s([redis.process.pid]) - cpu
        counted = int(redis("GET", f"verve:{{0}}:count:{today}") or 0)
        return {"strategy": strategy, "ids": ids, "bits": bits,
                "before": before_ids, "counted": counted,
                "bytes_per_id": (used_bytes(redis) - before) / ids,
                "redis_us_per_id": cpu / ids * 1e6,
                "wall_us_per_id": json.loads(done.stdout)["seconds"] / ids
                * 1e6}
    finally:
        sandbox.close()


def run(most_ids):
    rows = []
    for strategy, before in CASES:
        for bits in BITS:
            ids = 100_000
            while ids <= most_ids:
                rows.append(fill(strategy, ids, bits, before * ids))
                print(f"  {strategy} {ids:,} ids of {bits} bits "
                      f"after {before * ids:,}: "
                      f"{rows[-1]['bytes_per_id']:.1f} bytes, "
                      f"{rows[-1]['redis_us_per_id']:.2f} us",
                      file=sys.stderr, flush=True)
                ids *= 10
    return rows
