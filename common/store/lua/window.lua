-- The first part of window-look.lua, window-seal.lua and window-seal-told.lua,
-- which the build puts in front of them: is it the same data. The second part
-- finds the window that is on: window-clock.lua by the clock of shard 0, or
-- window-told.lua for shards after the first. It changes nothing.
--
-- KEYS: 1 sealed, 2 born
-- ARGV: 1 window_seconds, 2 born, as schema.lua replied it
-- Reply: {} if Redis's data was reset since, and schema.lua has to be run
--        first; else it is made by the other parts
--
-- A window has ended if the clock of shard 0 says so, or if it is sealed.
-- `sealed` never moves back, so that a clock that stepped back opens no window
-- again (accept.lua finds the window that is on in the same way). The sealed
-- window may have had another length than windows have now. The windows after
-- it are aligned to the new length, and may begin before its end.

local length = tonumber(ARGV[1])

local born = redis.call('GET', KEYS[2])
if born ~= ARGV[2] then
    return {}
end

local time = redis.call('TIME')
local sealed = tonumber(redis.call('GET', KEYS[1]))
