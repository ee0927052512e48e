-- Replies the last window that is recorded in the stream. Read-only.
--
-- KEYS: 1 windows
-- ARGV: none
-- Reply: {start, seconds} of that window; "0" for each value that is not known;
--        both are "0" if nothing was ever recorded

if redis.call('EXISTS', KEYS[1]) == 0 then
    return {'0', '0'}
end

-- The id that was added last, even if its entry was trimmed since.
local last = '0'
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        last = string.match(info[i + 1], '^%d+')
    end
end

local seconds = '0'
local entry = redis.call('XREVRANGE', KEYS[1], last, last)[1]
for i = 1, entry and #entry[2] or 0, 2 do
    seconds = entry[2][i] == 'seconds' and entry[2][i + 1] or seconds
end
return {last, seconds}
