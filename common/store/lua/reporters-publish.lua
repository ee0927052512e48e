-- Publishes the statistics of one reporter, for a limited time.
--
-- KEYS: 1 reporter:<name>, 2 reporters, a zset of names; the score is the
--       time (ms since the Unix epoch) at which their statistics expire
-- ARGV: 1 the reporter's name, 2 the statistics, 3 ms until they expire
-- Reply: how many other reporters there are

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
return redis.call('ZCARD', KEYS[2]) - 1
