-- Publishes what one reporter says of itself, for a while.
--
-- KEYS: 1 reporter:<name>, 2 reporters: a zset of names by the millisecond
--       until which each has published something
-- ARGV: 1 the name, 2 the text, 3 milliseconds until it is gone
-- Reply: how many others are there
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
return redis.call('ZCARD', KEYS[2]) - 1
