-- Adds records to the stream of closed windows, one entry a window, whose id
-- is <start>-0: in order, and each once, whoever comes second. Without records
-- it only tells how far the stream goes.
--
-- KEYS: 1 windows
-- ARGV: 1 start of the oldest window to keep
--       2... by fives: start, count, late, gap, seconds (the window's length)
-- Reply: the last window recorded, "0" where there is none

-- What was added last, though it may have been trimmed since.
local function last_recorded()
    if redis.call('EXISTS', KEYS[1]) == 0 then
        return '0'
    end
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            return string.match(info[i + 1], '^%d+')
        end
    end
end

local last = last_recorded()
for i = 2, #ARGV, 5 do
    if tonumber(ARGV[i]) > tonumber(last) then
        last = ARGV[i]
        redis.call('XADD', KEYS[1], last .. '-0', 'count', ARGV[i + 1],
            'late', ARGV[i + 2], 'gap', ARGV[i + 3], 'seconds', ARGV[i + 4])
    end
end
if #ARGV > 1 then
    redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
end
return last
