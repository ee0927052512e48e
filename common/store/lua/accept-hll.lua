-- Counts a batch with a HyperLogLog: approximately. The build puts accept.lua
-- in front of this.
--
-- KEYS: 1 to 7 as in accept.lua, 8 seen:<window>
-- ARGV: 1 to 6 as in accept.lua, 7... the id of each request, in order;
--       then the pairs of accept.lua
-- Reply: as in accept.lua
--
-- The estimate itself is the count. Therefore ids that were added by a batch
-- that failed halfway are counted with the next batch.

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
