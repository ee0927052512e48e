-- Notes that a sink is being written to, so that all sinks can be listed, also
-- those of hosts that are gone.
--
-- KEYS: 1 sinks
-- ARGV: 1 name of the sink
-- Reply: 1
--
-- A script of its own, because a script has the keys of one hash slot.

local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000),
    ARGV[1])
return 1
