"""Two systems side by side. Both are up, and short slices of the load go to
them in turn. A ratio is that of two successive slices, so that a drift of the
machine affects both."""

import statistics
import sys
from math import comb

from .measure import load, run_load, WARM_UP
from .systems import (FRONTS, GO, GO_ON_SOCKET, LUA, NAIVE, Running,
                      STRATEGIES, behind)

# The aims: load, connections, figure, system, system to compare with (None: the
# figure itself is the aim), at most or at least, value.
TARGETS = [
    ("unique", 64, "cpu_us", "setnx (nginx)", "gin, go-redis (bare)", "<=",
     0.58),
    ("unique", 64, "cpu_us", "setnx (nginx)", "gin, rueidis (bare)", "<=",
     0.75),
    *(("unique", 64, "cpu_us", "setnx (nginx)", behind(peer, "nginx"), "<=",
       0.45) for peer in GO),
    ("unique", 64, "requests_per_s", "setnx (nginx)", "gin, go-redis (bare)",
     ">=", 1.4),
    ("unique", 64, "requests_per_s", "setnx (nginx)", "gin, rueidis (bare)",
     ">=", 1.2),
    ("unique", 64, "requests_per_s", "setnx (nginx)", "ceiling (nginx)", ">=",
     0.72),
    *(("unique", 64, "cpu_us", "setnx (lighttpd)", behind(peer, "lighttpd"),
       "<=", 0.35) for peer in GO),
    *(("unique", 64, "requests_per_s", "setnx (lighttpd)",
       behind(peer, "lighttpd"), ">=", 2.5) for peer in GO),
    ("unique", 64, "requests_per_s", "setnx (lighttpd)", "ceiling (lighttpd)",
     ">=", 0.75),
    ("unique", 64, "requests_per_s", "set (lighttpd)", "ceiling (lighttpd)",
     ">=", 0.85),
    ("zipf", 64, "requests_per_s", "setnx (lighttpd)", "ceiling (lighttpd)",
     ">=", 0.93),
    ("unique", 4, "requests_per_s", "setnx (nginx)", "gin, rueidis (bare)",
     ">=", 1.0),
    ("unique", 4, "redis_us", "setnx (nginx)", None, "<=", 36),
    ("unique", 64, "cpu_us", "setnx (lighttpd)", "setnx before (lighttpd)",
     "<=", 1.0),
    *(("unique", 256, "behind_us", f"{strategy}, 3 shards (nginx)",
       f"{strategy}, TCP (nginx)", "<=", 1.5) for strategy in STRATEGIES),
]
# The same in the open loop.
OPEN_TARGETS = [
    ("p99_us", "setnx (nginx)", "gin, rueidis (bare)", "<=", 1.2),
    ("p99_us", "setnx (lighttpd)", "setnx before (lighttpd)", "<=", 1.0),
]
# Of the section full: the CPU time of three shards, that of one being 1.
FULL_AIM = 1.5


def against_peers(front):
    """Each of ours against its ceiling, and against each peer behind the same
    web server and by itself."""
    peers = [*(behind(peer, place) for peer in GO for place in (front, "bare")),
             LUA]
    return [("unique", 64, behind(name, front), other)
            for name in ("setnx", "set")
            for other in (behind("ceiling", front), *peers)]


# Load, connections, and the two systems. The first pair is a system against
# itself: the difference is noise.
PAIRS = [
    ("unique", 64, "setnx (nginx)", "setnx (nginx)"),
    ("unique", 64, "setnx (nginx)", "setnx (lighttpd)"),
    *against_peers("nginx"),
    *(("unique", 64, "setnx (nginx)", behind(peer, "nginx"))
      for peer in GO_ON_SOCKET),
    *against_peers("lighttpd"),
    *(("unique", 64, "setnx (lighttpd)", behind(peer, "lighttpd"))
      for peer in GO_ON_SOCKET),
    ("unique", 64, "setnx (lighttpd)", NAIVE),
    ("unique", 64, "setnx, TCP (nginx)", "setnx (nginx)"),
    ("unique", 64, "setnx, TLS (nginx)", "setnx, TCP (nginx)"),
    *(("unique", connections, behind("setnx", front), other)
      for connections in (4, 16) for front in FRONTS
      for other in (behind("ceiling", front), "gin, go-redis (bare)",
                    "gin, rueidis (bare)", LUA)),
    ("zipf", 64, "setnx (nginx)", "ceiling (nginx)"),
    ("zipf", 64, "setnx (lighttpd)", "ceiling (lighttpd)"),
    ("zipf", 64, "setnx (lighttpd)", "setnx, no cache (lighttpd)"),
]
# Three masters with a shard each against one Redis. With 256 connections
# batches are large.
SHARD_PAIRS = [
    ("unique", connections, f"{strategy}, 3 shards (nginx)",
     f"{strategy}, TCP (nginx)")
    for strategy in STRATEGIES for connections in (256, 64)]
# This build against the one before.
BEFORE_PAIRS = [
    ("unique", connections, behind(name, front),
     behind(f"{name} before", front))
    for name in ("setnx", "set") for front in FRONTS
    for connections in (64, 16, 4)]


def take(a, b, slices, connections, bound, options):
    """The runs of both systems, ([...], [...]); each is first in turn."""
    running = []
    try:
        for system in (a, b):
            running.append(Running(system))
            load(running[-1].host, "-c", connections, *WARM_UP, *options)
        runs = ([], [])
        for number in range(slices):
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                runs[which].append(run_load(running[which], connections,
                                            bound, options))
        return runs
    finally:
        for each in running:
            each.close()


def ratios(pair, key):
    return [x[key] / y[key] for x, y in zip(*pair["runs"])]


# With fewer slices there is no such confidence: see interval.
LEAST_SLICES = 6


def interval(values):
    """The confidence interval of the median, at least 95 %, by the order of the
    values alone (David and Nagaraja, Order Statistics, 7.1). If there are fewer
    than LEAST_SLICES values, all of their range, with less confidence."""
    ordered, n = sorted(values), len(values)
    rank, outside = 0, 0.0
    while rank < n // 2:
        outside += 2 * comb(n, rank) / 2 ** n
        if outside > 0.05:
            break
        rank += 1
    return ordered[max(rank - 1, 0)], ordered[n - max(rank, 1)]


def run(chosen, systems, loads, slices, bound):
    """Runs each chosen pair if both are among the systems, {name: System}."""
    pairs = []
    for name, connections, a, b in chosen:
        if a not in systems or b not in systems:
            continue
        pair = {"load": name, "connections": connections, "a": a, "b": b,
                "runs": take(systems[a], systems[b], slices, connections,
                             bound, loads[name])}
        pairs.append(pair)
        print(f"  {name}, {connections} connections: {a} / {b}: "
              f"{statistics.median(ratios(pair, 'requests_per_s')):.2f} of "
              f"its rate, {statistics.median(ratios(pair, 'cpu_us')):.2f} of "
              "its CPU time", file=sys.stderr, flush=True)
    return pairs
