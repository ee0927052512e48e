-- Replies the last window that is recorded in the stream. Read-only.
--
-- KEYS: 1 windows
-- ARGV: none
-- Reply: {start, seconds, count} of that window, start of the first window in
--        the stream; "0" for each value that is not known, "-" for the count of
--        a gap; all are "0" if nothing was ever recorded

if redis.call('EXISTS', KEYS[1]) == 0 then
    return {'0', '0', '0', '0'}
end

-- The id that was added last, even if its entry was trimmed since.
local last, first = '0', '0'
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
        last = string.match(info[i + 1], '^%d+')
    elseif info[i] == 'first-entry' and info[i + 1] then
        first = string.match(info[i + 1][1], '^%d+')
    end
end

local fields = {seconds = '0', count = '0'}
local entry = redis.call('XREVRANGE', KEYS[1], last, last)[1]
for i = 1, entry and #entry[2] or 0, 2 do
    fields[entry[2][i]] = entry[2][i + 1]
end
return {last, fields.seconds, fields.count, first}
