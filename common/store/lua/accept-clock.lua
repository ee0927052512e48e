-- The second part of accept-<strategy>.lua, for shard 0, whose clock decides
-- which window is on: see accept.lua.

local time = call('TIME')
local now = tonumber(time[1])
local on = now - now % length
if sealed and on <= sealed then
    -- The clock stepped back, or the sealed window had another length.
    on = sealed - sealed % length + length
end
local left_ms = (on + length - now) * 1000 - math.floor(time[2] / 1000)
if on ~= tonumber(window) then
    return {0, on, left_ms}
end
local expires, ends = 'EXAT', on + 2 * length -- when `whole` expires
