-- Compares what a responder has confirmed to clients with its mark in Redis. If
-- Redis lost some of it, the windows of the lost batches are written into
-- `lost`: they become gaps.
--
-- KEYS: 1 born, 2 marks, 3 unconfirmed, 4 lost, 5 recorded, 6 sealed
-- ARGV: 1 born, as schema.lua replied it, 2 the responder's name,
--       3 its mark after the last batch that was confirmed, "" if there was
--       none: see accept.lua, 4 window_seconds, 5 "1" if the responder ends and
--       signs off, else "0"; then by threes: first and last window of batches
--       that were confirmed, sequence number of the last of them
-- Reply: {2} if nothing was done: Redis's data was reset, and schema.lua has to
--        be run first
--        {1, last window that is recorded (0: none), sequence number in the
--        mark (-1: there was none), windows written to `lost`, windows that
--        were lost but are recorded already}
--
-- Redis executes what one connection sent in order. Therefore a loss takes away
-- the last batches of a responder, and the mark tells the first of them.
--
-- The reporters remove marks of windows that are recorded. If there is no mark,
-- recorded windows are therefore taken to be whole. `unconfirmed` holds the
-- marks from before Redis was restarted: see schema.lua.

local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then
    return {2}
end

local name, confirmed = ARGV[2], ARGV[3]
local mark = call('HGET', KEYS[2], name)
local old = call('HGET', KEYS[3], name)
local recorded = tonumber(call('GET', KEYS[5]) or 0)
local length = tonumber(ARGV[4])

-- Windows before the last one that it counted in are over, also if new or older
-- data does not know that: its clock may have been ahead, and they be recorded.
-- A window far in the future is not believed (see window_closer.h).
local over = (tonumber(string.match(confirmed, ' (%d+)$')) or 0) - length
local sealed = tonumber(call('GET', KEYS[6]) or 0)
local now = call('TIME')[1]
local believed = over < now + math.max(10 * length, 600)
if believed and over > sealed then
    call('SET', KEYS[6], string.format('%.0f', over))
end

local function sequence(text)
    return tonumber(string.match(text or '', '^%d+') or -1)
end

local kept = math.max(sequence(mark), sequence(old))
local written, lost, late = {}, 0, 0

local function lose(window)
    if not written[window] then
        written[window] = true
        call('ZADD', KEYS[4], string.format('%.0f', window),
            string.format('%.0f', window))
        lost = lost + 1
    end
end

-- If the clock was ahead before the data began, some windows from its beginning
-- on are over. Nobody may remember how many ids they had.
if confirmed ~= '' and not mark and not old and believed
    and over >= now - now % length then
    local begun = math.floor(ARGV[1])
    for window = math.max(begun - begun % length, recorded + length,
        over - 16384 * length), over, length do
        lose(window)
    end
end
for i = 6, #ARGV, 3 do
    local window = tonumber(ARGV[i])
    while kept < tonumber(ARGV[i + 2]) and window <= tonumber(ARGV[i + 1]) do
        if window > recorded then
            lose(window)
        elseif mark or old then
            late = late + 1
        end
        window = window + length
    end
end

if old then
    call('HDEL', KEYS[3], name)
end
if ARGV[5] == '1' then
    call('HDEL', KEYS[2], name)
elseif sequence(confirmed) > kept then
    call('HSET', KEYS[2], name, confirmed)
elseif old then
    call('HSET', KEYS[2], name, sequence(mark) == kept and mark or old)
end
return {1, recorded, kept, lost, late}
