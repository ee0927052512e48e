#!lua flags=no-writes
-- Tells which window is on, and how many ids this shard has counted in the
-- window that the caller believes to be on. Read-only.
--
-- KEYS: 1 sealed, 2 count:<window>
-- ARGV: 1 window_seconds
-- Reply: {window on, ms left, ids counted}
--
-- Only shard 0 is asked for the window that is on: see shard_news.h.

local length = tonumber(ARGV[1])
local time = redis.call('TIME')
local on = time[1] - time[1] % length
local sealed = tonumber(redis.call('GET', KEYS[1]) or nil)
if sealed and on <= sealed then
    on = sealed - sealed % length + length
end
return {on, (on + length - time[1]) * 1000 - math.floor(time[2] / 1000),
    tonumber(redis.call('GET', KEYS[2]) or nil) or 0}
