-- Counts a batch with a key for each id. See accept.lua, which comes before.
--
-- KEYS: 6... seen:<window>:<id>, one for each request, in order

local unique = count
for i = 1, #KEYS - 5 do
    if not refused[i] then
        if call('SET', KEYS[i + 5], '1', 'NX', 'EX', ttl) then
            unique = unique + 1
        end
        if job[i] then
            queue(i, unique)
        end
    end
end
return finish(unique)
