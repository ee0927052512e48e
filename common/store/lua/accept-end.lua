-- The last part of accept-<strategy>.lua: see accept.lua.

call('HSET', KEYS[6], ARGV[5], mark)
if unique > count then
    -- With few connections it is often 1.
    call('INCRBY', KEYS[3],
        unique - count == 1 and '1' or tostring(unique - count))
    if not before then
        -- At least as long as the ids, if the clock stepped back far.
        call('EXPIRE', KEYS[3], math.max(ARGV[3], ttl))
        call('ZADD', KEYS[5], window, window)
        -- No key of an id expires earlier: see ttl.
        call('SET', KEYS[4], '1', expires, ends)
        if previous and (not sealed or sealed < previous) then
            call('SET', KEYS[1], previous)
        end
    end
end
if queued > 0 then
    for key, list in pairs(lists) do
        if #list > 0 then
            call('RPUSH', key, unpack(list))
            call('ZADD', list.turns, 'NX', now_ms, list.origin)
        end
    end
    call('HSET', KEYS[last + 3], 'jobs', string.format('%.0f', all_jobs),
        'bytes', string.format('%.0f', all_bytes))
end
local added = math.min(unique - count, 2047)
return failed or job and {1, left_ms, queued, added} or left_ms * 2048 + added
