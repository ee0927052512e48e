-- The first part of accept-<strategy>.lua, which the build puts in front of
-- them: may the batch be counted, which of its callbacks have room, and how
-- does the batch end. The second part counts.
--
-- KEYS: 1 sealed, 2 born, 3 count:<window>, 4 callbacks, 5 due, 6 open,
--       7 whole:<strategy>:<window>, 8... those of the strategy
-- ARGV: 1 window, 2 window_seconds, 3 seconds that the count lives,
--       4 most jobs in the queue, 5 born, as schema.lua replied it,
--       6 how many arguments the strategy has,
--       7... those, then pairs: the index of a request (from 1), its job
--       without the last brace
-- Reply: {0, window on, ms left, ...} if nothing was done: another window is
--        on, or the strategy replies so and may add values
--        {2} if nothing was done: Redis's data was reset, and schema.lua has to
--        be run first
--        {1, window, ms left, born in us, new ids, jobs queued} if the batch
--        was counted; of the requests with a job, the first `jobs queued` were
--        counted, and the others were not
--
-- Everything that can fail is checked before the first write, so that no id is
-- ever seen but not counted, or counted without its job. If Redis is out of
-- memory, it refuses the first write, and no later one.
--
-- `open` holds the windows that count something and are not recorded yet. If
-- the count of such a window has expired or was deleted, it is not zero but
-- lost.
--
-- `whole` exists from a window's first id on, until the first of its ids may
-- expire. If Redis's clock jumps far ahead and back, ids may have expired while
-- the count survives, or the count may have expired as well. Such a window
-- takes no more ids: it is sealed, and the next window is on. The same is done
-- if another strategy counted the window's first ids. Redis need not have
-- deleted all expired keys at once while its clock was ahead; therefore the
-- first id of a window seals the window that counted before it.

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
    -- The clock stepped back, or the sealed window had another length.
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
    -- INCRBY accepts fewer texts as a number than Lua does.
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

-- Which requests have a job, and which of the jobs have room in the queue.
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

-- How long the key of an id lives: two windows; if the clock stepped back, as
-- long as this window lasts, and one window more. It is a text, so that Redis
-- need not format it for each id.
local ttl = string.format('%.0f', math.max(2 * length,
    math.ceil(left_ms / 1000) + length))

-- Queues the job of request i, whose count is `unique`.
local jobs = {}
local function queue(i, unique)
    jobs[#jobs + 1] = string.format('%s,"window":%s,"count":%.0f}', job[i],
        window, unique)
end

-- Ends the batch; the window has `unique` ids now.
local function finish(unique)
    if unique > count then
        call('INCRBY', KEYS[3], string.format('%.0f', unique - count))
        if not before then
            -- At least as long as the ids, if the clock stepped back far.
            call('EXPIRE', KEYS[3], math.max(ARGV[3], ttl))
            call('ZADD', KEYS[6], window, window)
            -- No key of an id expires earlier: see ttl.
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
