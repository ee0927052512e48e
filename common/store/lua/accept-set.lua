-- Counts a batch with many small sets, so small that Redis keeps them as
-- arrays of integers. See accept.lua, which comes before.
--
-- KEYS: 8 sets:<window>, 9 count:<window before>,
--       10... seen:<window>:s<set>, the set that the id of each request is in
-- ARGV: 7 how many sets the caller believes the window to have,
--       8... the id of each request, in order
-- Adds to the reply where nothing was done: the number of sets
--
-- An id's set depends on how many there are, so this is decided once for each
-- window. What the window before has counted makes about 256 ids in each: they
-- stay arrays (up to 512) where this window has not twice as many. At least
-- 1024, for a first window or a sudden one.
--
-- A set's first id gives it its time to live. To see that costs a command for
-- each new id, but only until all sets are there: `made` tells.

local known = call('HMGET', KEYS[8], 'sets', 'made')
local sets, made = tonumber(known[1]), tonumber(known[2])
if not (sets and made) or sets < 1 or sets % 1 ~= 0 then
    local last = tonumber(call('GET', KEYS[9]) or 0) or 0
    sets, made = math.max(1024, math.ceil(last / 256)), 0
    call('HSET', KEYS[8], 'sets', sets, 'made', made)
    call('EXPIRE', KEYS[8], ttl)
end
if sets ~= tonumber(ARGV[7]) then
    return {0, on, left_ms, sets}
end

local unique, now_made, failed = count, made, nil
for i = 1, #KEYS - 9 do
    if not refused[i] then
        local added = redis.pcall('SADD', KEYS[i + 9], ARGV[i + 7])
        if added == 1 then
            unique = unique + 1
            if now_made < sets and call('SCARD', KEYS[i + 9]) == 1 then
                call('EXPIRE', KEYS[i + 9], ttl)
                now_made = now_made + 1
            end
        elseif added ~= 0 then
            failed = added -- no set: what was added is counted all the same
            break
        end
        if job[i] then
            queue(i, unique)
        end
    end
end
if now_made > made then
    call('HSET', KEYS[8], 'made', now_made)
end
local reply = finish(unique)
return failed or reply
