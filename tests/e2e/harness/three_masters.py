"""Three masters in place of one Redis (VERVE_TEST_REDIS=cluster), for tests that
are written for one: what they ask of shard 0's keys is answered by all shards
together."""

from .cluster import Cluster, key_slot
from .shards import TAGS

SHARDS = 3

FIRST = "{0}"
# Commands without a key; every master gets them.
EVERYWHERE = {"ACL", "AUTH", "CLIENT", "CONFIG", "DEBUG", "FLUSHALL", "SCRIPT"}
# Of each shard's answer, what all have.
SUMS = {"DEL", "EXISTS", "LLEN", "XLEN", "ZCARD"}
LISTS = {"LRANGE", "ZRANGE"}
NUMBERS = {"GET", "HGET"}  # a sum, if they are whole numbers


class Exact(str):
    """A key as it is, in whatever shard."""


def joined(answers):
    """One answer of those to GET or HGET."""
    known = [answer for answer in answers if answer is not None]
    if known and all(answer.isdecimal() for answer in known):
        return str(sum(map(int, known)))
    return known[0] if known else None


class ThreeMasters(Cluster):
    """Has the methods of harness.redis.Redis."""

    def __init__(self, sandbox, fsync="everysec", **config):
        super().__init__(sandbox, replicas=0, appendfsync=fsync, **config)

    def __call__(self, *words):
        command = words[0]
        if command in EVERYWHERE:
            return [node(*words) for node in self.nodes][0]
        if command == "KEYS":
            pattern = words[1].replace(FIRST, "{*}")
            return [Exact(key) for node in self.nodes
                    for key in node("KEYS", pattern)]
        if command in ("INFO", "TIME"):
            return self.owner(FIRST)(*words)
        if FIRST not in words[1] or isinstance(words[1], Exact):
            return self.owner(words[1])(*words)
        return self.of_shards(*words)

    def owner(self, key):
        """The node of a key. No slot moves here."""
        return next(node for node in self.nodes if node.owns(key_slot(key)))

    def of_shards(self, *words):
        """The answer of all shards to what is asked of shard 0. What writes
        goes there alone."""
        command = words[0]
        if command == "LINDEX":
            return self.of_shards("LRANGE", words[1], 0, -1)[words[2]]
        if command not in SUMS | LISTS | NUMBERS:
            return self.owner(FIRST)(*words)
        answers = [self.owner(tag)(
            *(str(word).replace(FIRST, tag) for word in words))
            for tag in TAGS[SHARDS]]
        if command in SUMS:
            return sum(answers)
        return sum(answers, []) if command in LISTS else joined(answers)

    def calls(self, command):
        return sum(node.calls(command) for node in self.nodes)

    def wipe(self):
        self("FLUSHALL")
        self.end_connections()

    def now_ms(self):
        return self.owner(FIRST).now_ms()

    def window_left_s(self, window_s=60):
        return self.owner(FIRST).window_left_s(window_s)

    def wait_for_room(self, seconds, window_s=60):
        self.owner(FIRST).wait_for_room(seconds, window_s)

    def limit_default_user(self, *rules):
        for node in self.nodes:
            node.limit_default_user(*rules)

    def end_connections(self):
        for node in self.nodes:
            node.end_connections()

    def end_leases(self):
        for key in self("KEYS", "verve:sink:*"):
            self("HDEL", key, "lease_end_ms")

    def start(self):
        """Also after kill() or stop(): each node remembers the others."""
        if self.nodes[0].process is None:
            return super().start()
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait_ready()
        return self.wait_whole()

    def each(self, method):
        for node in self.nodes:
            getattr(node, method)()

    def kill(self):
        self.each("kill")

    def stop(self):
        self.each("stop")

    def freeze(self):
        self.each("freeze")

    def thaw(self):
        self.each("thaw")
