"""The queue of callbacks in Redis: jobs put there by hand, and their state."""

import hashlib
import json
import secrets
from urllib.parse import urlsplit

LIST = "verve:{0}:callbacks"
DESTINATIONS = "verve:{0}:destinations"
STRANGERS = "verve:{0}:strangers"
PROVEN = "verve:{0}:proven"
QUEUE = "verve:{0}:queue"
DUE = "verve:{0}:due"
DEAD = "verve:{0}:dead"


def job(url, count=1, window=60):
    """The JSON of a job, as the accept script would queue it."""
    return json.dumps({"v": 1, "id": secrets.token_hex(16), "url": url,
                       "window": window, "count": count},
                      separators=(",", ":"))


def put(redis, *urls):
    """Queues a job for each URL; returns their ids. Counts are 1, 2, 3, .."""
    jobs = [job(url, count) for count, url in enumerate(urls, 1)]
    for start in range(0, len(jobs), 1000):
        redis("RPUSH", LIST, *jobs[start:start + 1000])
    return [json.loads(text)["id"] for text in jobs]


def list_of(url):
    """The list of a URL's destination."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    origin = f"{parts.scheme}://{parts.hostname}:{port}"
    return f"{LIST}:{hashlib.sha1(origin.encode()).hexdigest()[:32]}"


def queue_for(redis, url, texts):
    """Queues jobs, all for one destination, as the accept script does."""
    parts = urlsplit(url)
    for start in range(0, len(texts), 1000):
        redis("RPUSH", list_of(url), *texts[start:start + 1000])
    redis("ZADD", STRANGERS, "NX", 1, f"{parts.scheme}://{parts.netloc}")
    redis("HINCRBY", QUEUE, "jobs", len(texts))
    redis("HINCRBY", QUEUE, "bytes", sum(map(len, texts)))


def waiting(redis):
    """The jobs in the lists: [(attempts, JSON)]."""
    texts = [text for key in [LIST, *redis("KEYS", LIST + ":*")]
             for text in redis("LRANGE", key, 0, -1)]
    split = [text.split(" ", 1) if text[0].isdigit() else ("0", text)
             for text in texts]
    return [(int(attempts.rstrip("~")), json.loads(text)) for attempts, text in split]


def is_settled(redis):
    return not redis("EXISTS", LIST, DUE, DESTINATIONS, STRANGERS)


def dead(redis):
    """{id: error} of the dead list."""
    entries = [json.loads(text) for text in redis("LRANGE", DEAD, 0, -1)]
    return {entry["id"]: entry["error"] for entry in entries}


def due(redis):
    """{id: (claim, attempts, score in ms)} of the zset."""
    flat = redis("ZRANGE", DUE, 0, -1, "WITHSCORES")
    found = {}
    for member, score in zip(flat[::2], flat[1::2]):
        claim, attempts, text = member.split(" ", 2)
        found[json.loads(text)["id"]] = (claim, int(attempts), float(score))
    return found


def standing(redis):
    """The state that each reporter publishes: {name: JSON}."""
    names = redis("ZRANGE", "verve:{0}:reporters", 0, -1)
    texts = {name: redis("GET", f"verve:{{0}}:reporter:{name}")
             for name in names}
    return {name: json.loads(text) for name, text in texts.items() if text}
