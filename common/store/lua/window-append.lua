-- Adds records to the stream of closed windows, and trims old records. Each
-- window is one entry with the id <start>-0, so that records are in order. A
-- window that is recorded already is skipped: another reporter was faster.
--
-- KEYS: 1 windows
-- ARGV: 1 start of the oldest window to keep,
--       2... by fives: start, count, late, gap, seconds (the window's length)
-- Reply: {last, added}: the start of the last window recorded, by whichever
--        reporter, "0" if there is none; how many of these records were added,
--        which are the newest
--
-- The shards are told by window-recorded.lua, because a script has the keys of
-- one hash slot.

-- A value of XINFO STREAM; nil if there is no stream.
local function info(name)
    local all = redis.call('EXISTS', KEYS[1]) == 1
        and redis.call('XINFO', 'STREAM', KEYS[1]) or {}
    for i = 1, #all, 2 do
        if all[i] == name then
            return all[i + 1]
        end
    end
end

-- The id that was added last, even if its entry was trimmed since.
local last = string.match(info('last-generated-id') or '0', '^%d+')
local added = 0
for i = 2, #ARGV, 5 do
    if tonumber(ARGV[i]) > tonumber(last) then
        added = added + 1
        last = ARGV[i]
        redis.call('XADD', KEYS[1], last .. '-0', 'count', ARGV[i + 1],
            'late', ARGV[i + 2], 'gap', ARGV[i + 3], 'seconds', ARGV[i + 4])
    end
end

-- XTRIM does not note which entries it deleted, as XDEL does. A sink that was
-- away needs that, to tell a record that was trimmed from a record that was
-- lost.
if redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1]) > 0 then
    local trimmed = string.format('%.0f', math.min(ARGV[1] - 1, last))
    redis.call('XSETID', KEYS[1], last .. '-0', 'ENTRIESADDED',
        info('entries-added'), 'MAXDELETEDID', trimmed .. '-0')
end
return {last, added}
