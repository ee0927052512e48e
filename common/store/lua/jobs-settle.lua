-- Settles claimed callback jobs. A job is settled if the exact bytes of its
-- member can be removed from `due`. If they are gone, the job was claimed again
-- since, and nothing happens. So a second run with the same arguments changes
-- nothing.
--
-- KEYS: 1 due, 2 dead
-- ARGV: 1 how many entries the list `dead` may have,
--       2 n, the number of jobs that were delivered or dropped,
--       3... the members of those n jobs,
--       then by threes, for each other job: its member; the ms until it is due
--       again, or "dead"; its new member of `due`, or its entry in `dead`
-- Reply: {stale, dropped}: stale jobs were not in `due` any more; dropped
--        entries were the oldest of `dead`, over its limit
--
-- LLEN comes first: if `dead` is not a list, the script fails before it changes
-- anything. ZREM comes before commands that need memory: see jobs-claim.lua.
local most_dead, delivered = tonumber(ARGV[1]), tonumber(ARGV[2])

-- A right that was withdrawn since the connect must not stop it halfway.
if not redis.acl_check_cmd('RPUSH', KEYS[2], '')
    or not redis.acl_check_cmd('ZADD', KEYS[1], '0', '') then
    return redis.error_reply('NOPERM +rpush and +zadd are needed')
end

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
