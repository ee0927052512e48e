-- The reporters' part in noticing that Redis lost data: see marks-confirm.lua.
-- It writes what a reporter remembers into `lost`, and forgets what serves no
-- more.
--
-- KEYS: 1 born, 2 lost, 3 marks, 4 unconfirmed, 5 recorded, 6 run, 7 sealed
-- ARGV: 1 born, as schema.lua replied it, 2 window_seconds, 3 first window that
--       is not recorded, 4 and 5 first and last window that is lost (0: none),
--       6 "1" if all had their time to confirm, else "0", 7 appendfsync of this
--       Redis, "" if it can't be read, 8 the last window that is known to be
--       recorded, 9 by how many seconds the clock of shard 0 is ahead of this
--       Redis's (0 in shard 0)
-- Reply: {} if nothing was done: Redis's data was reset, and schema.lua has to
--        be run first; else {windows that were written into `lost` after they
--        had been recorded}
--
-- `unconfirmed` holds the marks of responders that have not shown themselves
-- since Redis was restarted (see schema.lua). Once they had their time, the
-- windows from their last one up to the restart become gaps, as nobody else can
-- tell whether Redis still has what was confirmed there: it may have lost the
-- last marks, too. If appendfsync was `always` before and is now, it has all.

local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then
    return {}
end
local first = tonumber(ARGV[3])
local recorded = tonumber(call('GET', KEYS[5]) or 0)

-- The window of a mark: see accept.lua.
local function window_of(mark)
    return tonumber(string.match(mark, ' (%d+)$') or 0)
end

local function lose(window)
    -- Another reporter may have recorded it since this one looked.
    if window >= first and window > recorded then
        call('ZADD', KEYS[2], string.format('%.0f', window),
            string.format('%.0f', window))
    end
end

-- Before anything is added, as what is added is not recorded.
local late = call('ZCOUNT', KEYS[2], '-inf', math.min(first - 1, recorded))
call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[3])

-- Not all at once if there are very many: Redis serves nobody meanwhile.
local length = tonumber(ARGV[2])
for window = first, math.min(ARGV[5], first + 16384 * length), length do
    if window >= tonumber(ARGV[4]) then
        lose(window)
    end
end
if ARGV[6] == '1' then
    local synced = ARGV[7] == 'always'
        and call('HGET', KEYS[6], 'before') == 'always'
    local restarted = tonumber(call('HGET', KEYS[6], 'at') or 0) + ARGV[9]
    local starts, window = {}, first
    for _, mark in ipairs(synced and {} or call('HVALS', KEYS[4])) do
        if window_of(mark) >= recorded then
            starts[#starts + 1] = window_of(mark)
        end
    end
    table.sort(starts)
    for _, start in ipairs(starts) do
        window = math.max(window, start) -- those before are written already
        while window <= math.min(restarted, start + 16384 * length) do
            lose(window)
            window = window + length
        end
    end
    call('DEL', KEYS[4])
end
if call('HGET', KEYS[6], 'appendfsync') ~= ARGV[7] then
    call('HSET', KEYS[6], 'appendfsync', ARGV[7])
end

-- New or older data may not know that a window took its last id.
if tonumber(ARGV[8]) > tonumber(call('GET', KEYS[7]) or 0) then
    call('SET', KEYS[7], ARGV[8])
end

-- Marks of recorded windows are kept for two windows, so that a responder that
-- was stopped for long finds out that a record has too low a count.
local old = recorded - 2 * ARGV[2]
local marks = call('HGETALL', KEYS[3])
for i = 1, #marks, 2 do
    if window_of(marks[i + 1]) <= old then
        call('HDEL', KEYS[3], marks[i])
    end
end
return {late}
