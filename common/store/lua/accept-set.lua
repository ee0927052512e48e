-- Counts a batch with many small sets, so small that Redis keeps them as arrays
-- of integers (intset): the fourth part, see accept.lua.
--
-- KEYS: as in accept.lua, 7 sets:<window>, 8 count:<previous window>,
--       9... seen:<window>:s<set>, the set of each request's id, in order
-- ARGV: as in accept.lua, 9 the number of sets that the caller believes the
--       window to have, 10... the id of each request, in order; or
--       9 "0": it is not known, 10 the least number of sets, and no ids
-- Reply: as in accept.lua; {0, window on, ms left, number of sets} if the
--        caller's number is wrong; 0: the window has none yet
--
-- The set of an id depends on the number of sets, which is therefore decided
-- once for each window. By the count of the previous window each set gets about
-- 256 ids. An intset has at most 512 ids, so the sets stay intsets unless this
-- window has twice as many ids. There is a least number of sets, for a first
-- window or a sudden load.
--
-- The first id of a set makes its key expire. To find out whether an id is the
-- first costs a command for each new id, until all sets exist. `made` counts
-- the sets that exist.

local known = call('HMGET', KEYS[7], 'sets', 'made')
local sets, made = tonumber(known[1]), tonumber(known[2])
if not (sets and made) or sets < 1 or sets % 1 ~= 0 then
    if ARGV[9] ~= '0' then
        return {0, on, left_ms, 0}
    end
    local previous_count = tonumber(call('GET', KEYS[8]) or 0) or 0
    sets, made = math.max(ARGV[10], math.ceil(previous_count / 256)), 0
    call('HSET', KEYS[7], 'sets', sets, 'made', made)
    call('EXPIRE', KEYS[7], ttl)
end
if sets ~= tonumber(ARGV[9]) then
    return {0, on, left_ms, sets}
end

local now_made = made
for i = 1, last - 8 do
    if not job or not refused[i] then
        local added = redis.pcall('SADD', KEYS[i + 8], ARGV[i + 9])
        if added == 1 then
            unique = unique + 1
            if now_made < sets and call('SCARD', KEYS[i + 8]) == 1 then
                call('EXPIRE', KEYS[i + 8], ttl)
                now_made = now_made + 1
            end
        elseif added ~= 0 then
            failed = added -- not a set: count the ids added before all the same
            break
        end
        if job and job[i] then
            queue(i)
        end
    end
end
if now_made > made then
    call('HSET', KEYS[7], 'made', now_made)
end
