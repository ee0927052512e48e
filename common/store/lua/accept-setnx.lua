-- Counts a batch with a key for each id: the fourth part, see accept.lua.
--
-- KEYS: as in accept.lua, 7... seen:<window>:<id> for each request, in order
-- ARGV: as in accept.lua; the strategy has none
-- Reply: as in accept.lua
--
-- With every 256 new ids a canary is written, KEYS[4]:<n>: a key that expires
-- when `whole` does, and so no later than any id. Redis deletes expired keys in
-- no particular order. If its clock jumps ahead for a moment, many ids may go
-- while `whole` stays, but hardly without a canary: see window-seal.lua. The
-- value of `whole` is the number of the last canary. So no canary is missed
-- that was never written, as by responders of older versions (and by the first
-- batch of a window, which writes `whole` last).

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

if before and unique - unique % 256 > count then
    local n, left = tonumber(whole) or 1, call('PTTL', KEYS[4])
    for _ = count - count % 256 + 256, unique, 256 do
        n = n + 1
        call('SET', KEYS[4] .. ':' .. n, '1', 'PX', math.max(left, 1))
    end
    call('SET', KEYS[4], n, 'KEEPTTL')
end
