"""The keys in Redis are those of docs/redis-keys.md: pattern, type, lifetime."""

import re
from pathlib import Path

from harness.fastcgi import KEEP_CONN, Responder, request
from harness.load import accept
from harness.queue import put
from harness.receiver import Answer
from harness.reporter import Reporter
from harness.strategies import every_strategy
from harness.wait import wait_until

DOCUMENT = Path(__file__).parents[2] / "docs/redis-keys.md"
WINDOW_S = 2
RETENTION_HOURS = 2
LIFETIMES_S = {
    "none": None,
    "1 s": 1,
    "10 s": 10,
    "2 windows": 2 * WINDOW_S,
    "to the end of the next window": 2 * WINDOW_S,
    "window.retention_hours, at least 3 windows": RETENTION_HOURS * 3600,
}
PARTS = {"<window>": r"\d+", "<id>": r"-?\d+", "<set>": r"\d+",
         "<strategy>": r"setnx|set|hll", "<name>": r".+",
         "<hash>": r"[0-9a-f]{32}", "<n>": r"\d+"}
JOBS = {"verve:{t}:due", "verve:{t}:destinations",
        "verve:{t}:callbacks:<hash>"}
CANARY = "verve:{t}:whole:<strategy>:<window>:<n>"
OF_STRATEGY = {
    "setnx": {"verve:{t}:seen:<window>:<id>", CANARY},
    "set": {"verve:{t}:seen:<window>:s<set>", "verve:{t}:sets:<window>"},
    "hll": {"verve:{t}:seen:<window>"},
}


def read_document():
    """Pattern -> (type, lifetime)."""
    rows = re.findall(r"^\| `(verve:[^`]+)` \| (\w+) \| ([^|]+) \|",
                      DOCUMENT.read_text(), re.MULTILINE)
    return {pattern: (kind, lifetime) for pattern, kind, lifetime in rows}


def expression(pattern):
    pieces = re.split(r"({t}|<\w+>)", pattern)
    return "".join(r"\{0\}" if piece == "{t}" else
                   f"(?:{PARTS[piece]})" if piece in PARTS else
                   re.escape(piece) for piece in pieces)


class Seen:
    """The patterns whose keys were seen, each with its longest TTL in ms."""

    def __init__(self, redis):
        self.redis = redis
        self.document = read_document()
        self.longest_ms = {}

    def look(self):
        """Looks at every key, but of the ids at a few."""
        keys = self.redis("KEYS", "*")
        ids = [key for key in keys if key.startswith("verve:{0}:seen:")]
        for key in set(keys) - set(ids[8:]):
            kind = self.redis("TYPE", key)
            ttl_ms = self.redis("PTTL", key)
            if kind == "none" or ttl_ms == -2:
                continue  # it is gone since
            (pattern,) = [pattern for pattern in self.document
                          if re.fullmatch(expression(pattern), key)]
            wanted, lifetime = self.document[pattern]
            assert kind == wanted, key
            assert (ttl_ms == -1) == (lifetime == "none"), (key, ttl_ms)
            self.longest_ms[pattern] = max(ttl_ms,
                                           self.longest_ms.get(pattern, -1))

    def share(self, pattern):
        """The part of its lifetime that a key had yet; 1: it has none."""
        limit_s = LIFETIMES_S[self.document[pattern][1]]
        return 1 if limit_s is None else \
            self.longest_ms[pattern] / 1000 / limit_s

    def in_time(self):
        """The patterns of which a key was seen soon after it was made."""
        return {pattern for pattern in self.longest_ms
                if self.share(pattern) > 0.4}

    def check_lifetimes(self):
        for pattern in self.longest_ms:
            assert 0.4 < self.share(pattern) <= 1, pattern


def send_at_once(responder, numbers):
    """In one window, if possible."""
    with responder.peer(30.0) as peer:
        peer.send(b"".join(request(accept(number), flags=KEEP_CONN)
                           for number in numbers))
        for _ in numbers:
            assert peer.read_response().body == b"ok"


@every_strategy
def test_keys_are_as_documented(sandbox, strategy, redis, receiver):
    settings = {"VERVE_WINDOW_SECONDS": WINDOW_S,
                "VERVE_WINDOW_RETENTION_HOURS": RETENTION_HOURS,
                "VERVE_CALLBACKS_RETRY_DELAYS_S": "1"}
    responder = Responder(sandbox, redis, **settings).start()
    receiver.respond("/hook", 503)
    receiver.respond("/slow", Answer(delay_s=0.3))
    seen = Seen(redis)
    others = set().union(*(patterns for name, patterns in OF_STRATEGY.items()
                           if name != strategy))
    expected = set(seen.document) - others

    def to_see():
        return expected - seen.in_time()

    def missing():
        for name in redis("HKEYS", "verve:{0}:marks"):  # an older state
            redis("HSET", "verve:{0}:marks", name, "0 1")
        # The first canary comes with the 256th id.
        send_at_once(responder, range(300 if CANARY in to_see() else 8))
        seen.look()
        responder.ask("/readyz")
        seen.look()
        return to_see()

    def missing_with_jobs():
        if to_see() & JOBS:
            put(redis, receiver.url("/hook"), *[receiver.url("/slow")] * 10)
        return missing()

    responder.ask(accept(7, receiver.url("/hook")))
    redis("HSET", "verve:{0}:blocked", "b.example", "keep")
    put(redis, receiver.url("/hook"))
    assert not {key for key in missing() if "callbacks" in key}
    Reporter(sandbox, redis, VERVE_CALLBACKS_PER_HOST_CONCURRENCY=1,
             **settings).start()
    unconfirmed = "verve:{t}:unconfirmed"
    wait_until(lambda: missing_with_jobs() == {unconfirmed},
               f"every other key: {missing()}", 120.0, 0.1)
    stopped = Responder(sandbox, redis, "stopped", **settings).start()
    stopped.ask(accept(9))
    stopped.process.freeze()
    redis.kill()
    redis.start()
    wait_until(lambda: seen.look() or unconfirmed in seen.in_time(),
               "its mark is not confirmed")
    stopped.process.thaw()
    assert set(seen.longest_ms) == expected
    seen.check_lifetimes()
