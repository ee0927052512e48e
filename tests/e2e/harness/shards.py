"""Shards: each part of the ids has keys with a hash tag of its own."""

from .load import accept

# tags(shards): common/store/shard.c. The first is that of shard 0.
TAGS = {1: ["{0}"], 3: ["{0}", "{193}", "{43112}"],
        6: ["{0}", "{88561}", "{193}", "{19699}", "{43112}", "{54993}"]}


MASK = 2**64 - 1


def shard_of(number, shards):
    """The shard of an id: shard_of of common/store/shard.c."""
    mixed = (number & MASK) ^ 0x9E3779B97F4A7C15
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & MASK
    return ((mixed ^ mixed >> 31) * shards) >> 64


def ids_of(shard, shards, count, first=1):
    """So many ids of a shard, from `first` on."""
    found = []
    while len(found) < count:
        if shard_of(first, shards) == shard:
            found.append(first)
        first += 1
    return found


def is_counted(responder, number):
    return responder.ask(accept(number)).status == 200


def counts_all(responder, shards):
    """Whether an id of each shard is counted: the first of them, from 1 on."""
    return all(is_counted(responder, ids_of(shard, shards, 1)[0])
               for shard in range(shards))


class Shard:
    """Redis as the functions of harness.queue see it, whose keys are those of
    shard 0: here they are those of another shard."""

    def __init__(self, redis, tag):
        self.redis = redis
        self.tag = tag

    def __call__(self, *words):
        return self.redis(*(word.replace("verve:{0}:", f"verve:{self.tag}:")
                            if isinstance(word, str) else word
                            for word in words))


def shards_of(redis, count):
    return [Shard(redis, tag) for tag in TAGS[count]]
