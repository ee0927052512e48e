-- Settles claimed callback jobs. The removal of a member's exact bytes from
-- `due` decides: where they are gone, the lease was another's and nothing
-- happens. So running it twice with the same arguments does nothing more.
--
-- KEYS[1]  the zset `due`
-- KEYS[2]  the list `dead`
-- ARGV[1]  how many entries the list `dead` may have
-- ARGV[2]  n, how many jobs were delivered
-- ARGV[3]  to ARGV[2 + n]: the members of those
-- then, by threes, for each other job: its member; the milliseconds until it
--          is up again, or "dead"; the member it waits as, or its entry there
-- Reply    {stale: how many were gone, dropped: the oldest dead over the limit}
--
-- LLEN comes first: were `dead` no list, the script stops while nothing was
-- done. ZREM comes before what needs memory: see jobs-claim.lua.
local most_dead, delivered = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local dead = redis.call('LLEN', KEYS[2])
local stale = 0

if delivered > 0 then
    stale = delivered - redis.call('ZREM', KEYS[1],
        unpack(ARGV, 3, 2 + delivered))
end

for i = 3 + delivered, #ARGV, 3 do
    local member, delay, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if redis.call('ZREM', KEYS[1], member) == 0 then
        stale = stale + 1
    elseif delay == 'dead' then
        dead = redis.call('RPUSH', KEYS[2], text)
    else
        redis.call('ZADD', KEYS[1], now + tonumber(delay), text)
    end
end

local dropped = math.max(0, dead - most_dead)
if dropped > 0 then
    redis.call('LTRIM', KEYS[2], dropped, -1)
end
return {stale, dropped}
