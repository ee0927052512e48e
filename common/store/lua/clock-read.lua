#!lua flags=no-writes
-- Tells the time.
--
-- KEYS: none
-- Reply: ms since the Unix epoch
local time = redis.call('TIME')
return time[1] * 1000 + math.floor(time[2] / 1000)
