-- Adds records to the stream of closed windows, one entry a window, whose id
-- is <start>-0: in order, and each once, whoever comes second. Without records
-- it only tells how far the stream goes.
--
-- KEYS: 1 windows
-- ARGV: 1 start of the oldest window to keep
--       2... by fives: start, count, late, gap, seconds (the window's length)
-- Reply: {start, seconds} of the last window recorded; "0" for what is not
--        known, as where there is none

-- What the stream says of itself; nil where there is none.
local function info(name)
    local all = redis.call('EXISTS', KEYS[1]) == 1
        and redis.call('XINFO', 'STREAM', KEYS[1]) or {}
    for i = 1, #all, 2 do
        if all[i] == name then
            return all[i + 1]
        end
    end
end

-- What was added last, though it may have been trimmed since.
local last = string.match(info('last-generated-id') or '0', '^%d+')
for i = 2, #ARGV, 5 do
    if tonumber(ARGV[i]) > tonumber(last) then
        last = ARGV[i]
        redis.call('XADD', KEYS[1], last .. '-0', 'count', ARGV[i + 1],
            'late', ARGV[i + 2], 'gap', ARGV[i + 3], 'seconds', ARGV[i + 4])
    end
end
-- XTRIM does not note what it took out, as XDEL does; but a sink that was away
-- must be able to tell a record whose time was over from one that was lost.
if #ARGV > 1 and redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1]) > 0 then
    local taken = string.format('%.0f', math.min(ARGV[1] - 1, last))
    redis.call('XSETID', KEYS[1], last .. '-0', 'ENTRIESADDED',
        info('entries-added'), 'MAXDELETEDID', taken .. '-0')
end

-- How long that one is.
local seconds
local entry = redis.call('XREVRANGE', KEYS[1], last, last)[1]
for i = 1, entry and #entry[2] or 0, 2 do
    seconds = entry[2][i] == 'seconds' and entry[2][i + 1] or seconds
end
return {last, seconds or '0'}
