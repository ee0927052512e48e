#!lua flags=allow-oom
-- Notes which destinations are proven, because they have answered, and which
-- are not any more. Their jobs wait among those of their kind.
--
-- KEYS: 1 proven, 2 destinations, 3 strangers
-- ARGV: 1 how many destinations `proven` may have; if there are more, those go
--       that were noted longest ago,
--       then pairs: a destination, 1 if it is proven or 0
-- Reply: how many were noted
--
-- allow-oom: a destination that loses its proof must lose its slots at any
-- time; `proven` is small.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for i = 1, 3 do
    call('ZCARD', KEYS[i]) -- fails before the first write
end
for i = 2, #ARGV, 2 do
    local origin = ARGV[i]
    local from, to = KEYS[2], KEYS[3]
    if ARGV[i + 1] == '1' then
        call('ZADD', KEYS[1], now, origin)
        from, to = to, from
    else
        call('ZREM', KEYS[1], origin)
    end
    if call('ZREM', from, origin) == 1 then
        call('ZADD', to, 'NX', now, origin)
    end
end
call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[1])
return (#ARGV - 1) / 2
