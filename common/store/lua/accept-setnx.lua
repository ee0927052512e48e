-- Counts a batch with a key for each id. See accept.lua, which comes before.
--
-- KEYS: 8... seen:<window>:<id>, one for each request, in order

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
