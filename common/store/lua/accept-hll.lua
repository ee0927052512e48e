-- Counts a batch with a HyperLogLog: about. See accept.lua, which comes before.
--
-- KEYS: 8 seen:<window>
-- ARGV: 7... the id of each request, in order
--
-- What it estimates is the count, so that a batch that is cut off in the
-- middle is counted with the next.

local ids, unique = {}, count
local known = call('EXISTS', KEYS[8]) == 1
local function add()
    if #ids > 0 and call('PFADD', KEYS[8], unpack(ids)) == 1 then
        unique = math.max(unique, call('PFCOUNT', KEYS[8]))
    end
    ids = {}
end

for i = 1, ARGV[6] do
    if not refused[i] then
        ids[#ids + 1] = ARGV[i + 6]
        if job[i] then
            add()
            queue(i, unique)
        end
    end
end
add()
if not known then
    call('EXPIRE', KEYS[8], ttl)
end
return finish(unique)
