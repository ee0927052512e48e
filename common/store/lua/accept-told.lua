-- The second part of accept-<strategy>-told.lua, for shards after the first.
-- The window that is on is the caller's, who knows the clock of shard 0, unless
-- this shard has gone further: see accept.lua.
--
-- `sealed` moves up to the window before it, so that this shard never goes
-- back. Because of that, a window far ahead of this Redis's own clock is
-- refused. Nothing else here depends on that clock: keys expire so many seconds
-- after the first id, wherever it stands.

local time = call('TIME')
local now, on = tonumber(time[1]), tonumber(window)
if sealed and on <= sealed then
    return {0, sealed - sealed % length + length, 0}
end
if not sealed or on - length > sealed then
    if on - now > 600 then
        return redis.error_reply(string.format('ERR window %s is %.0f s ahead'
            .. " of this Redis's clock: set the clocks of all hosts",
            window, on - now))
    end
    sealed = on - length
    call('SET', KEYS[1], string.format('%.0f', sealed))
end
local left_ms = 0 -- the caller knows
local expires, ends = 'EX', 2 * length -- when `whole` expires
