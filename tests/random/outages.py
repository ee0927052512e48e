"""What clients saw of faults that hit one shard: how long it had no ok, and
whether requests for other shards failed meanwhile."""

from harness.shards import shard_of

SHARDS = 3
# A shard that was hit just before may still be away: its replica acknowledges
# once a second.
AFTER_S = 2.0


def longest_outage(asks, begun, end):
    """The longest time without an ok that began before `end`, in seconds;
    None: nobody asked in vain."""
    longest, last = 0.0, begun
    for ask in sorted(asks, key=lambda ask: ask.end):
        if ask.ok and ask.end > begun:
            longest, last = max(longest, ask.end - last), ask.end
            if last > end:
                break
    in_vain = any(not ask.ok and begun <= ask.end <= last for ask in asks)
    return longest if in_vain else None


def outages(facts):
    """[text] of each fault."""
    asks = [ask for ask in facts.asks if ask.end]
    found = []
    for name, shard, _, begun, end in facts.hits:
        also = {other for _, _, shards, first, last in facts.hits
                if first < end and last + AFTER_S > begun for other in shards}
        away_s = longest_outage([ask for ask in asks
                                 if shard_of(ask.number, SHARDS) == shard], begun, end)
        others = [ask for ask in asks if begun <= ask.start and ask.end <= end
                  and shard_of(ask.number, SHARDS) not in also]
        failed = sum(not ask.ok for ask in others)
        away = "always ok" if away_s is None else f"away for {away_s:.1f} s"
        found.append(f"{name}: shard {shard} {away}; of {len(others)} requests for "
                     f"others {failed} failed")
    return found
