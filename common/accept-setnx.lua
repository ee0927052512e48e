-- Counts a batch of ids in one window, or does nothing.
--
-- KEYS: 1 sealed, 2 born, 3 count:<window>, 4 callbacks, 5 due,
--       6... seen:<window>:<id>, one for each request, in order
-- ARGV: 1 window, 2 window_seconds, 3 seconds that the count lives,
--       4 most jobs in the queue,
--       5... pairs: a request's index (from 1), its job without the last brace
-- Reply: {0, window on, ms left} where another window is on: nothing was done
--        {1, window, ms left, born, new ids, jobs queued}; of the requests with
--        a job, the first `jobs queued` were counted, the others were not
--
-- All that can fail is looked at before the first write, so that no id is ever
-- seen but not counted, or counted without its job. Redis refuses for want of
-- memory at the first write only.

local window, length = tonumber(ARGV[1]), tonumber(ARGV[2])

local time = redis.call('TIME')
local on = time[1] - time[1] % length
local sealed = redis.call('GET', KEYS[1])
if sealed and on <= tonumber(sealed) then
    on = tonumber(sealed) + length -- the clock stepped back
end
local left_ms = (on + length - time[1]) * 1000 - math.floor(time[2] / 1000)
if on ~= window then
    return {0, on, left_ms}
end

local before = redis.call('GET', KEYS[3])
local count = tonumber(before or 0)
if not count or count % 1 ~= 0 or count >= 2 ^ 53 then
    return redis.error_reply('ERR ' .. KEYS[3] .. ' is not a count')
end
local born = redis.call('GET', KEYS[2])

-- Which requests have a job, and which of those find room in the queue.
local job, refused, queued = {}, {}, 0
if #ARGV > 4 then
    local room = tonumber(ARGV[4]) - redis.call('LLEN', KEYS[4])
        - redis.call('ZCARD', KEYS[5])
    for i = 5, #ARGV, 2 do
        if queued < room then
            job[tonumber(ARGV[i])] = ARGV[i + 1]
            queued = queued + 1
        else
            refused[tonumber(ARGV[i])] = true
        end
    end
end

if not born then
    born = time[1] -- what Redis had is lost: begin anew
    redis.call('SET', KEYS[2], born)
end
-- Two windows, or, where the clock stepped back, as long as this one lasts.
local ttl = math.max(2 * length, math.ceil(left_ms / 1000) + length)
local new, jobs = 0, {}
for i = 1, #KEYS - 5 do
    if not refused[i] then
        if redis.call('SET', KEYS[i + 5], '1', 'NX', 'EX', ttl) then
            new = new + 1
        end
        if job[i] then
            jobs[#jobs + 1] = string.format('%s,"window":%s,"count":%.0f}',
                job[i], ARGV[1], count + new)
        end
    end
end
if new > 0 then
    redis.call('INCRBY', KEYS[3], new)
    if not before then
        redis.call('EXPIRE', KEYS[3], ARGV[3])
    end
end
if #jobs > 0 then
    redis.call('RPUSH', KEYS[4], unpack(jobs))
end
return {1, on, left_ms, born, new, queued}
