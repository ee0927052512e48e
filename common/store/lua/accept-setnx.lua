-- Counts a batch with a key for each id: the second part, see accept.lua.
--
-- KEYS: as in accept.lua, 7... seen:<window>:<id> for each request, in order
-- ARGV: as in accept.lua; the strategy has none
-- Reply: as in accept.lua

for i = 1, last - 6 do
    if not job or not refused[i] then
        if call('SET', KEYS[i + 6], '1', 'NX', 'EX', ttl) then
            unique = unique + 1
        end
        if job and job[i] then
            queue(i)
        end
    end
end
