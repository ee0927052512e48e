-- Counts a batch with a HyperLogLog, approximately: the fourth part, see
-- accept.lua.
--
-- KEYS: as in accept.lua, 7 seen:<window>
-- ARGV: as in accept.lua, 9... the id of each request, in order
-- Reply: as in accept.lua
--
-- The estimate itself is the count. Therefore ids that were added by a batch
-- that failed halfway are counted with the next batch.
--
-- If the HyperLogLog has expired while the count survives, the count is of all
-- ids so far, and the window is closed: see `whole` in accept.lua.

local ids = {}
local known = call('EXISTS', KEYS[7]) == 1
if before and not known then
    call('SET', KEYS[1], on)
    return {0, on + length, left_ms + length * 1000}
end
local function add()
    if #ids > 0 and call('PFADD', KEYS[7], unpack(ids)) == 1 then
        unique = math.max(unique, call('PFCOUNT', KEYS[7]))
    end
    ids = {}
end

for i = 1, ARGV[8] do
    if not job or not refused[i] then
        ids[#ids + 1] = ARGV[i + 8]
        if job and job[i] then
            add()
            queue(i)
        end
    end
end
add()
if not known then
    call('EXPIRE', KEYS[7], ttl)
end
