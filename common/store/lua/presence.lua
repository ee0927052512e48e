#!lua flags=allow-oom
-- Notes that a program lives and what it says of itself, and tells which
-- reporters live.
--
-- KEYS: 1 presence, a zset of names by the time (ms since the Unix epoch) at
--       which each was last seen, 2 presence-said, a hash of names and JSON
-- ARGV: 1 the program's name, 2 the JSON; "" if the program ends: its name is
--       then forgotten
--       3 the end of the names of workers that close windows
--       4 ms after which a silent reporter counts as gone, 5 ms after which it
--       is forgotten, 6 how many names are kept
-- Reply: {number of living reporters, ms since a reporter was last seen; -1 if
--         none is known}
--
-- allow-oom: an operator wants to see the hosts while Redis is out of memory.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget(names)
    for _, name in ipairs(names) do
        redis.call('ZREM', KEYS[1], name)
        redis.call('HDEL', KEYS[2], name)
    end
end

-- Redis's clock has stepped back.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1],
    string.format('(%.0f', now), '+inf')) do
    redis.call('ZADD', KEYS[1], now, name)
end
forget(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[5]))
if ARGV[2] == '' then
    forget({ARGV[1]})
else
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
    forget(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[6]))
end

local living, silent = 0, -1
local seen = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '-inf',
    'WITHSCORES')
for i = 1, #seen, 2 do
    local ago = now - seen[i + 1]
    if silent >= 0 and ago > tonumber(ARGV[4]) then
        break
    end
    if string.sub(seen[i], -#ARGV[3]) == ARGV[3] then
        silent = silent < 0 and ago or silent
        living = living + (ago <= tonumber(ARGV[4]) and 1 or 0)
    end
end
return {living, silent}
