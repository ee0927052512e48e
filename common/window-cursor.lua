-- Moves a sink's cursor forward, never back, and tells where it is.
--
-- KEYS: 1 sink:<name>
-- ARGV: 1 start of the last window that the sink has written; 0 only asks
-- Reply: the cursor; 0 where the sink has written none

local cursor = tonumber(redis.call('HGET', KEYS[1], 'cursor')) or 0
local start = tonumber(ARGV[1])
if start > cursor then
    redis.call('HSET', KEYS[1], 'cursor', ARGV[1])
    cursor = start
end
return cursor
