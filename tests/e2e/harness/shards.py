"""Shards: each part of the ids has keys with a hash tag of its own."""

# tags(shards): common/store/shard.c. The first is that of shard 0.
TAGS = {1: ["{0}"], 3: ["{0}", "{193}", "{43112}"],
        6: ["{0}", "{88561}", "{193}", "{19699}", "{43112}", "{54993}"]}


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
