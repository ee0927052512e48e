-- What the accept scripts share: whether the batch may be counted, which of
-- its callbacks find room, and how it ends. The build puts this in front of
-- accept-<strategy>.lua, which does the counting.
--
-- KEYS: 1 sealed, 2 born, 3 count:<window>, 4 callbacks, 5 due, 6 open,
--       7 whole:<strategy>:<window>, 8... the strategy's
-- ARGV: 1 window, 2 window_seconds, 3 seconds that the count lives,
--       4 most jobs in the queue, 5 born of the data that was agreed on,
--       6 how many arguments are the strategy's,
--       7... those, then pairs: a request's index (from 1), its job without
--       the last brace
-- Reply: {0, window on, ms left, ...} where nothing was counted: another window
--        is on, or the strategy says so, with what it adds
--        {2} where nothing was done: the data has another beginning, and
--        schema.lua comes first
--        {1, window, ms left, born in us, new ids, jobs queued}; of the
--        requests with a job, the first `jobs queued` were counted, the others
--        were not
--
-- All that can fail is looked at before the first write, so that no id is ever
-- seen but not counted, or counted without its job. Redis refuses for want of
-- memory at the first write only.
--
-- `open` has the windows that count something and are not recorded yet: a count
-- that is gone by then, for its time to live or by a hand, is no zero.
--
-- `whole` is there from a window's first id on, until the first of its ids may
-- be forgotten: a clock that steps far ahead and back would find ids gone, and
-- their count not, or that gone as well. Such a window is sealed as it is, and
-- the next one is on; the same where another strategy has seen its ids. And
-- since Redis need not have deleted all at once when its clock was ahead, a
-- window's first id seals the one that counted before it.

local call = redis.call
local window, length = ARGV[1], tonumber(ARGV[2])

local born, whole = unpack(call('MGET', KEYS[2], KEYS[7]), 1, 2)
if born ~= ARGV[5] then
    return {2}
end
if not tonumber(born) then
    return redis.error_reply('ERR ' .. KEYS[2] .. ' is not a time')
end

local time = call('TIME')
local on = time[1] - time[1] % length
local sealed = tonumber(call('GET', KEYS[1]))
if sealed and on <= sealed then
    -- The clock stepped back, or windows have another length than that one.
    on = sealed - sealed % length + length
end
local left_ms = (on + length - time[1]) * 1000 - math.floor(time[2] / 1000)
if on ~= tonumber(window) then
    return {0, on, left_ms}
end

local before = call('GET', KEYS[3])
local count = tonumber(before or 0)
if before and (not string.find(before, '^%d+$') or count >= 2 ^ 53
    or string.format('%.0f', count) ~= before) then
    -- INCRBY takes less for a number than Lua does.
    return redis.error_reply('ERR ' .. KEYS[3] .. ' is not a count')
end

local forgotten, previous = not whole, nil -- the window that counted before
if not before then
    forgotten = whole or call('ZSCORE', KEYS[6], window)
    previous = tonumber(call('ZREVRANGEBYSCORE', KEYS[6], '(' .. window,
        '-inf', 'LIMIT', 0, 1)[1])
end
if forgotten then
    call('SET', KEYS[1], on)
    return {0, on + length, left_ms + length * 1000}
end

-- Which requests have a job, and which of those find room in the queue.
local job, refused, queued = {}, {}, 0
local jobs_at = 7 + ARGV[6]
if #ARGV >= jobs_at then
    local room = tonumber(ARGV[4]) - call('LLEN', KEYS[4])
        - call('ZCARD', KEYS[5])
    for i = jobs_at, #ARGV, 2 do
        if queued < room then
            job[tonumber(ARGV[i])] = ARGV[i + 1]
            queued = queued + 1
        else
            refused[tonumber(ARGV[i])] = true
        end
    end
end

-- How long an id is remembered: two windows, or, where the clock stepped back,
-- as long as this one lasts. Text, which Redis need not format each time.
local ttl = string.format('%.0f', math.max(2 * length,
    math.ceil(left_ms / 1000) + length))

-- Keeps the job of request i, which is told that there are `unique` ids.
local jobs = {}
local function queue(i, unique)
    jobs[#jobs + 1] = string.format('%s,"window":%s,"count":%.0f}', job[i],
        window, unique)
end

-- Ends the batch: there are `unique` ids in the window now.
local function finish(unique)
    if unique > count then
        call('INCRBY', KEYS[3], string.format('%.0f', unique - count))
        if not before then
            -- Longer where the clock stepped back by more than that.
            call('EXPIRE', KEYS[3], math.max(ARGV[3], ttl))
            call('ZADD', KEYS[6], window, window)
            -- No id is remembered for a shorter time: see ttl.
            call('SET', KEYS[7], '1')
            call('EXPIREAT', KEYS[7], on + 2 * length)
            if previous and (not sealed or sealed < previous) then
                call('SET', KEYS[1], previous)
            end
        end
    end
    if #jobs > 0 then
        call('RPUSH', KEYS[4], unpack(jobs))
    end
    return {1, on, left_ms, born * 1000000, unique - count, queued}
end
