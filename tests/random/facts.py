"""What is known independently of verve: the answers that clients got, what
Redis's own keys say, when data was lost, and how Redis's clock went.

Times are of this host, in seconds since the Unix epoch, unless a name ends in
_redis. A window is its start in seconds by Redis's clock, as in Verve-Window.
"""

import bisect
import json
import threading
import time
from dataclasses import dataclass, field

from harness.redis import RedisError

# All at one moment, of the shard that has KEYS[1]. Replies the last window
# sealed, the last recorded if KEYS[2] is the stream of records, the server's
# time, the keys of ids (for `set` with the members of each), counts and jobs.
STATE = """
local call = redis.call
local shard = string.match(KEYS[1], '.*}:')
local function info(key)
    if not key or call('EXISTS', key) == 0 then
        return '0'
    end
    local all = call('XINFO', 'STREAM', key)
    for i = 1, #all, 2 do
        if all[i] == 'last-generated-id' then
            return string.match(all[i + 1], '^%d+')
        end
    end
end
local ids, sets, counts = {}, {}, {}
for _, key in ipairs(call('KEYS', shard .. 'seen:*')) do
    if call('TYPE', key).ok == 'set' then
        sets[#sets + 1] = {key, call('SMEMBERS', key)}
    else
        ids[#ids + 1] = key
    end
end
for _, key in ipairs(call('KEYS', shard .. 'count:*')) do
    counts[#counts + 1] = {key, call('GET', key)}
end
local time = call('TIME')
return {call('GET', KEYS[1]) or '0', info(KEYS[2]),
    time[1] .. '.' .. string.format('%06d', time[2]), ids, sets, counts,
    call('LRANGE', shard .. 'callbacks', 0, -1),
    call('ZRANGE', shard .. 'due', 0, -1),
    call('LRANGE', shard .. 'dead', 0, -1)}
"""


def window_at(at_redis, length):
    return int(at_redis // length) * length


@dataclass
class Ask:
    """A request and its answer."""
    number: int
    callback: int  # what its endpoint is known by; None: no endpoint
    start: float
    end: float = None  # None: not answered yet
    status: int = 0    # 0: no answer
    window: int = None  # of an ok

    @property
    def ok(self):
        return self.window is not None


@dataclass
class Call:
    """A callback as it was received."""
    callback: int  # Ask.callback
    job: str
    window: int
    count: int


@dataclass
class State:
    """What Redis has at one moment."""
    begun: float = 0.0
    at: float = 0.0
    at_redis: float = 0.0
    sealed: int = 0
    recorded: int = 0
    ids: dict = field(default_factory=dict)     # {window: set}
    counts: dict = field(default_factory=dict)  # {window: int}
    jobs: set = field(default_factory=set)      # Ask.callback


def callback_of(job):
    """The Ask.callback of a job, of whatever list it is in."""
    text = job[job.index("{"):]
    return int(json.loads(text)["url"].rpartition("?")[2])


RECORDS = "verve:windows"


def read_recorded(client):
    """The last window recorded, if it is at another node than the shard."""
    if not client("EXISTS", RECORDS):
        return 0
    reply = client("XINFO", "STREAM", RECORDS)
    last = reply[reply.index("last-generated-id") + 1]
    return int(last.partition("-")[0])


def merge(states, recorded):
    """One State of those of all shards, by the clock of the last that was
    read: keys may have ended until then."""
    merged = State(min(state.begun for state in states), states[-1].at,
                   max(state.at_redis for state in states),
                   min(state.sealed for state in states), recorded)
    for state in states:
        merged.jobs |= state.jobs
        for window, ids in state.ids.items():
            merged.ids.setdefault(window, set()).update(ids)
        for window, count in state.counts.items():
            merged.counts[window] = merged.counts.get(window, 0) + count
    return merged


def read_state(client, tag="{0}", records=(RECORDS,)):
    begun = time.time()
    keys = (f"verve:{tag}:sealed", *records)
    reply = client("EVAL_RO", STATE, len(keys), *keys)
    state = State(begun, time.time(), float(reply[2]), int(reply[0]),
                  int(reply[1]))
    for key in reply[3]:
        window, number = key.split(":")[-2:]
        state.ids.setdefault(int(window), set()).add(int(number))
    for key, members in reply[4]:
        window = int(key.split(":")[-2])
        state.ids.setdefault(window, set()).update(map(int, members))
    for key, count in reply[5]:
        state.counts[int(key.split(":")[-1])] = int(count)
    for jobs in reply[6:9]:
        state.jobs.update(map(callback_of, jobs))
    return state


@dataclass
class Loss:
    """An event after which Redis may have less than it had confirmed. The
    state that it left tells whether it has."""
    fault: str
    down: float   # the old data was written for the last time
    up: float     # programs see the new data
    state: State  # what the new data is
    recorded: int  # the last window recorded before
    written: dict  # {file: last window written before, 0: none}
    replicated: bool = False  # what was ok was on the replica that took over
    seen: float = 0.0  # the last program was there; 0: soon after up
    forward_s: float = 0.0  # how far the clock was ahead meanwhile


class Clock:
    """Where Redis's clock was."""

    def __init__(self):
        self.steps = [(0.0, 0.0)]  # (from when on, offset)

    def step(self, at, offset):
        self.steps.append((at, offset))

    def now_redis(self):
        return time.time() + self.steps[-1][1]

    def offsets(self, start, end):
        """All that were in force between two moments, a step's own moment
        counting for both sides."""
        first = bisect.bisect_right(self.steps, (start - 0.1, 1e18)) - 1
        return [offset for at, offset in self.steps[max(first, 0):]
                if at <= end + 0.1]

    def earliest(self, start, end):
        return start + min(self.offsets(start, end))

    def latest(self, end):
        """The latest that the clock has shown up to then: a window that was
        on never comes back."""
        shown = end + self.offsets(end, end)[-1]
        for (at, offset), (until, _) in zip(self.steps, self.steps[1:]):
            if at <= end + 0.1:
                shown = max(shown, min(until, end) + offset)
        return shown

    def stepped(self, start, end):
        return any(start <= at <= end for at, _ in self.steps[1:])


class Facts:
    """All of the above, of one run."""

    def __init__(self, window_s):
        self.window_s = window_s
        self.lock = threading.Lock()
        self.asks = []
        self.losses = []
        self.restarts = []  # when a Redis with another run_id was up
        # When responders could not tell what they remember: (from, to).
        self.silences = []
        self.ends = []      # when responders were killed or ended
        # Faults of one shard: (name, shard, all shards of its node, from, to).
        self.hits = []
        self.samples = {}   # {window: State}: the last that has it
        self.clock = Clock()
        self.events = []

    def note(self, text):
        self.events.append(f"{time.time():.3f} {text}")

    def add(self, ask):
        with self.lock:
            self.asks.append(ask)

    def acknowledged(self):
        """{window: {id: the first moment at which it was known}}"""
        known = {}
        for ask in self.asks:
            if ask.ok:
                ids = known.setdefault(ask.window, {})
                ids[ask.number] = min(ask.end, ids.get(ask.number, ask.end))
        return known

    def last_window(self):
        return max((ask.window for ask in self.asks if ask.ok), default=None)


class Sampler(threading.Thread):
    """Looks at Redis's keys again and again, so that the ids of each window
    are known when it has been sealed."""

    def __init__(self, facts, store):
        super().__init__(daemon=True)
        self.facts = facts
        self.store = store
        self.end = threading.Event()
        self.latest = State()

    def run(self):
        reader = self.store.reader()
        while not self.end.wait(self.facts.window_s / 4):
            try:
                with self.store.moving:
                    state = reader.read()
                self.keep(state)
            except (OSError, RedisError, ValueError):
                pass

    def keep(self, state):
        self.latest = state
        for window in state.ids:
            # Its first ids live for two windows at least.
            whole = state.at_redis < window + 2 * self.facts.window_s - 0.05
            if state.sealed >= window and whole and \
                    window not in self.facts.samples:
                self.facts.samples[window] = state

    def close(self):
        self.end.set()
        if self.is_alive():
            self.join()
