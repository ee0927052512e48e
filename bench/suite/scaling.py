"""The model of bench/scale: how many cores and machines so many requests/s take.
Everything that it knows is in a dict of measured points (see points.py).

CPU time of a batch is a fixed part and a part for each id (Line), fitted to the
points. How large batches are follows from the load: a responder has at most one
script under way in each shard, and what comes meanwhile is the next batch. So
each shard is a queue with one server and as many customers as there are
responders, each of which comes back after the time that a responder takes for
its round. Its mean wait is that of Bard and Schweitzer's approximation of mean
value analysis (Bard 1979), which has a closed network of queues as its model.
"""

import math
from dataclasses import dataclass

MOST_SHARDS = 60  # redis.shards
MOST_IDS = 128    # accept.max_batch
US = 1e6


@dataclass
class Line:
    """fixed + each * n, in us."""
    fixed: float
    each: float

    def __call__(self, n):
        return self.fixed + self.each * n


def fit(points):
    """The Line with the least squares of relative errors through (n, us)."""
    weights = [1 / us ** 2 for _, us in points]
    total = sum(weights)
    mean_n = sum(w * n for w, (n, _) in zip(weights, points)) / total
    mean_us = sum(w * us for w, (_, us) in zip(weights, points)) / total
    each = sum(w * (n - mean_n) * (us - mean_us)
               for w, (n, us) in zip(weights, points)) / \
        sum(w * (n - mean_n) ** 2 for w, (n, _) in zip(weights, points))
    return Line(mean_us - each * mean_n, each)


def spread(line, points):
    """The largest relative error of a Line."""
    return max(abs(line(n) - us) / us for n, us in points)


class Costs:
    """What a strategy behind a web server costs, by measured points."""

    def __init__(self, points, front, strategy):
        rows = [row for row in points["batches"]
                if row["strategy"] == strategy]
        self.redis_points = [(row["batch"], row["redis_us"]) for row in rows]
        self.redis = fit(self.redis_points)
        self.replica = fit([(row["batch"], row["replica_us"])
                            for row in rows])
        self.bytes = fit([(row["batch"], row["bytes_in"] + row["bytes_out"])
                          for row in rows])
        rows = [row for row in points["fronts"] if row["front"] == front]
        # With many connections the web server has the least to wake up for.
        self.web_us = min(row["web_us"] for row in rows)
        # CPU time of a batch of the responder.
        self.service_points = [
            (row["ids_per_batch"], row["service_us"] * row["ids_per_batch"])
            for row in rows]
        self.service = fit(self.service_points)


@dataclass
class Need:
    """What a rate needs."""
    responders: int
    shards: int
    ids: float       # in a script
    wait_ms: float   # of a batch for Redis
    busy: float      # of a core that has a master
    web_cores: float
    responder_cores: float
    redis_cores: float
    replica_cores: float


def settle(costs, rate, shards, load):
    """The Need of a rate on so many shards; load: the share of a core that a
    responder may use."""
    ids, need = 16.0, None
    for _ in range(2000):
        service_us = costs.service(ids) / ids
        responders = max(1, math.ceil(rate * service_us / US / load))
        each_us = costs.redis(ids)
        # The time between two batches of a responder in a shard.
        think_us = ids * shards * service_us
        wait_us = each_us
        for _ in range(50):
            waiting = responders * wait_us / (wait_us + think_us)
            wait_us = each_us * (1 + (responders - 1) / responders * waiting)
        wanted = rate / responders / shards * (wait_us + think_us) / US
        wanted = min(max(wanted, 1.0), MOST_IDS)
        batches = rate / shards / ids
        need = Need(responders, shards, ids, wait_us / 1000,
                    batches * each_us / US, rate * costs.web_us / US,
                    rate * service_us / US, shards * batches * each_us / US,
                    shards * batches * costs.replica(ids) / US)
        if abs(wanted - ids) < 0.01:
            break
        ids += 0.2 * (wanted - ids)
    return need


def capacity(costs):
    """Ids/s of a shard that its Redis can take, in full batches."""
    return US / (costs.redis(MOST_IDS) / MOST_IDS)


def installations(costs, rate, load):
    """How many must share the rate, each with redis.shards of its own."""
    return math.ceil(rate / (MOST_SHARDS * capacity(costs) * load))


def need_of(costs, rate, load):
    """The Need with the fewest shards that leave Redis some room."""
    return settle(costs, rate, math.ceil(rate / capacity(costs) / load), load)
