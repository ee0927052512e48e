-- Counts a batch with many small sets, so small that Redis keeps them as arrays
-- of integers (intset). The build puts accept.lua in front of this.
--
-- KEYS: 1 to 7 as in accept.lua, 8 sets:<window>,
--       9 count:<previous window>,
--       10... seen:<window>:s<set>, the set of each request's id, in order
-- ARGV: 1 to 6 as in accept.lua, 7 the number of sets that the caller believes
--       the window to have (0: not known, and no ids follow),
--       8... the id of each request, in order; then the pairs of accept.lua
-- Reply: as in accept.lua; {0, window on, ms left, number of sets} if the
--        caller's number is wrong
--
-- The set of an id depends on the number of sets, which is therefore decided
-- once for each window. By the count of the previous window each set gets about
-- 256 ids. An intset has at most 512 ids, so the sets stay intsets unless this
-- window has twice as many ids. There are at least 1024 sets, for a first
-- window or a sudden load.
--
-- The first id of a set makes its key expire. To find out whether an id is the
-- first costs a command for each new id, until all sets exist. `made` counts
-- the sets that exist.

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
            failed = added -- not a set: count the ids added before all the same
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
