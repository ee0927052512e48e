-- Seals the windows that have ended, so that no id can enter them any more,
-- and tells what they counted. With no window to seal it only tells the time.
--
-- KEYS: 1 sealed, 2 born, 3 open, 4... count:<window> of successive windows
-- ARGV: 1 window_seconds, 2 the first of those windows,
--       3 born of the data that was agreed on
-- Reply: {} where nothing was done: the data has another beginning, and
--        schema.lua comes first; else
--        {ms since the epoch, window on, born, count, ...}: a count for each
--        of the windows that has ended, "-" where it had one that is gone; the
--        first that has not ended ends the list
--
-- A window has ended where Redis's clock says so, or where it was sealed
-- before: `sealed` never shrinks, so that a clock that stepped back opens
-- nothing again (accept.lua tells the window that is on in the same way). It
-- may be of another length than the windows are now: those after it are on the
-- new grid, and may begin inside its span.

local length, window = tonumber(ARGV[1]), tonumber(ARGV[2])

local born = redis.call('GET', KEYS[2])
if born ~= ARGV[3] then
    return {}
end

local time = redis.call('TIME')
local on = time[1] - time[1] % length
local sealed = tonumber(redis.call('GET', KEYS[1]))
if sealed and on <= sealed then
    on = sealed - sealed % length + length
end
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {now_ms, on, tonumber(born)}

local last
for i = 4, #KEYS do
    if window >= on then
        break
    end
    reply[#reply + 1] = redis.call('GET', KEYS[i])
        or redis.call('ZSCORE', KEYS[3], string.format('%.0f', window)) and '-'
        or '0'
    last = window
    window = window + length
end

-- All that can fail has been done.
if last and (not sealed or last > sealed) then
    redis.call('SET', KEYS[1], last)
end
if last then
    -- What comes before the first of them is recorded, or skipped.
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[2])
end
return reply
