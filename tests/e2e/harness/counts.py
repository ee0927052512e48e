"""What the responders have counted in Redis."""


def count(redis, window):
    """The unique ids of a window (epoch second)."""
    return int(redis("GET", f"verve:{{0}}:count:{window}") or 0)


def count_all(redis):
    """The sum over all windows, for a test in which a window may end."""
    return sum(int(redis("GET", key))
               for key in redis("KEYS", "verve:{0}:count:*"))
