#!lua flags=no-writes
-- Finds work for a reporter, and changes nothing.
--
-- KEYS: 1 callbacks, 2 due, 3 destinations, 4 strangers
-- ARGV: 1 how many jobs at most, of each kind, 2 how many destinations at most,
--       3 how many strangers at most
-- Reply: {members of `due` that are due again, the earliest first;
--        the oldest jobs of the list `callbacks`;
--        the destinations whose turn it is, that which waits longest first;
--        the strangers whose turn it is}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

return {
    redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1]),
    redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1),
    redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ARGV[2]),
    redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, ARGV[3]),
}
