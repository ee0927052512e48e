-- Counts a batch with a key for each id. The build puts accept.lua in front of
-- this.
--
-- KEYS: 1 to 7 as in accept.lua, 8... seen:<window>:<id> for each request, in
--       order
-- ARGV: as in accept.lua; the strategy has none
-- Reply: as in accept.lua

local unique = count
for i = 1, #KEYS - 7 do
    if not refused[i] then
        if call('SET', KEYS[i + 7], '1', 'NX', 'EX', ttl) then
            unique = unique + 1
        end
        if job[i] then
            queue(i, unique)
        end
    end
end
return finish(unique)
