"""Two systems side by side. Both are up, and short slices of the load go to
them in turn, so that what drifts within seconds drifts for both: a ratio is of
two slices that followed each other."""

import statistics
import sys
from math import comb

from .measure import load, run_load, WARM_UP
from .systems import Running

# What has to be shown: load, what, of which system, to which, at most or at
# least, how much.
TARGETS = [
    ("unique", "cpu_us", "setnx", "gin, go-redis", "<=", 0.75),
    ("unique", "cpu_us", "set", "gin, go-redis", "<=", 0.65),
    ("unique", "requests_per_s", "setnx", "ceiling", ">=", 0.75),
    ("unique", "requests_per_s", "set", "ceiling", ">=", 0.85),
    ("zipf", "requests_per_s", "setnx", "ceiling", ">=", 0.93),
]
# The first is one system against itself: what it differs by is noise.
PAIRS = [
    ("unique", "setnx", "setnx"),
    ("unique", "setnx", "ceiling"),
    ("unique", "set", "ceiling"),
    ("unique", "setnx", "gin, go-redis"),
    ("unique", "set", "gin, go-redis"),
    ("unique", "setnx", "gin, rueidis"),
    ("unique", "setnx", "naive"),
    ("zipf", "setnx", "ceiling"),
    ("zipf", "setnx", "setnx, no cache"),
]


def take(a, b, slices, connections, bound, options):
    """The runs of both systems, ([...], [...]), who is first changing."""
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


# Fewer say nothing with that confidence: see interval.
LEAST_SLICES = 6


def interval(values):
    """Where the median lies with at least 95 % confidence, from the order of
    the values alone (David and Nagaraja, Order Statistics, 7.1); of fewer than
    LEAST_SLICES, from the least to the largest, with less."""
    ordered, n = sorted(values), len(values)
    rank, outside = 0, 0.0
    while rank < n // 2:
        outside += 2 * comb(n, rank) / 2 ** n
        if outside > 0.05:
            break
        rank += 1
    return ordered[max(rank - 1, 0)], ordered[n - max(rank, 1)]


def run(systems, loads, slices, connections, bound):
    """Each of PAIRS of which both are among the systems, {name: System}."""
    pairs = []
    for name, a, b in PAIRS:
        if a not in systems or b not in systems:
            continue
        pair = {"load": name, "a": a, "b": b, "runs": take(
            systems[a], systems[b], slices, connections, bound, loads[name])}
        pairs.append(pair)
        print(f"  {name}: {a} / {b}: "
              f"{statistics.median(ratios(pair, 'requests_per_s')):.2f} of "
              f"its rate, {statistics.median(ratios(pair, 'cpu_us')):.2f} of "
              "its CPU time", file=sys.stderr, flush=True)
    return pairs
