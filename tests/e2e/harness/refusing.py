"""Redis in states in which it answers, but refuses to write."""

import threading

from .redis import RedisClient, RedisError
from .wait import wait_until


class Refusal:
    """enter() brings redis into the state, leave() out of it; `word` is in its
    error replies meanwhile."""

    def __init__(self, redis):
        self.redis = redis


class Busy(Refusal):
    """A script without an end."""
    word = "BUSY"

    def enter(self):
        self.redis("CONFIG", "SET", "busy-reply-threshold", 1)
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()
        wait_until(self.is_busy, "it is busy")

    def loop(self):
        client = RedisClient(self.redis.path)
        try:
            client("EVAL", "while true do end", 0)
        except RedisError:  # killed
            pass
        client.close()

    def is_busy(self):
        try:
            self.redis("PING")
        except RedisError as error:
            return str(error).startswith("BUSY")
        return False

    def leave(self):
        self.redis("SCRIPT", "KILL")
        self.thread.join()


class Misconf(Refusal):
    """A snapshot failed."""
    word = "MISCONF"

    def enter(self):
        self.obstacle = self.redis.folder / "dump.rdb"
        self.obstacle.mkdir()
        self.redis("CONFIG", "SET", "save", "86400 1000000000")
        self.snapshot("err")

    def snapshot(self, result):
        self.redis("BGSAVE")
        wait_until(lambda: f"rdb_last_bgsave_status:{result}" in
                   self.redis("INFO", "persistence"), f"a snapshot: {result}")

    def leave(self):
        self.obstacle.rmdir()
        self.snapshot("ok")


class NoReplicas(Refusal):
    """Fewer replicas than it must have."""
    word = "NOREPLICAS"

    def enter(self):
        self.redis("CONFIG", "SET", "min-replicas-to-write", 1)

    def leave(self):
        self.redis("CONFIG", "SET", "min-replicas-to-write", 0)


REFUSALS = [Busy, Misconf, NoReplicas]
