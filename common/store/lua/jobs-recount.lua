#!lua flags=allow-oom
-- Counts the jobs in the queue anew. `queue` has how many jobs and bytes the
-- scripts have put into the lists of the destinations and into `due`. An older
-- version, which does not know `queue`, and an operator may add and remove jobs
-- without counting them: so the number would be wrong for ever.
--
-- KEYS: 1 queue, 2 destinations, 3 due, 4 strangers
-- ARGV: 1 what the keys of the lists begin with, before the hash,
--       2 the ms between two counts,
--       3 if there are more destinations, nothing is counted: that would take
--       Redis too long
-- Reply: how much was corrected, in jobs; nil if nothing was counted
--
-- The keys of the lists are not declared: only the script knows the
-- destinations. All have the hash tag of the declared keys. The bytes are
-- corrected as the jobs are: on the average.
local BYTES = 300 -- of a job, if none is known
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local counted = call('HMGET', KEYS[1], 'jobs', 'bytes', 'recounted')
local before = tonumber(counted[3]) or 0

if (now >= before and now - before < tonumber(ARGV[2]))
    or call('ZCARD', KEYS[2]) + call('ZCARD', KEYS[4]) > tonumber(ARGV[3]) then
    return nil
end

local real = call('ZCARD', KEYS[3])
for _, turns in ipairs({KEYS[2], KEYS[4]}) do
    for _, origin in ipairs(call('ZRANGE', turns, 0, -1)) do
        local length = call('LLEN', ARGV[1]
            .. string.sub(redis.sha1hex(origin), 1, 32))
        if length == 0 then
            call('ZREM', turns, origin)
        end
        real = real + length
    end
end

local jobs, bytes = tonumber(counted[1]) or 0, tonumber(counted[2]) or 0
if jobs == 0 and real == 0 then
    return 0
end
if jobs ~= real then
    bytes = math.floor(jobs > 0 and bytes > 0 and bytes * real / jobs
        or real * BYTES)
end
call('HSET', KEYS[1], 'jobs', string.format('%.0f', real),
    'bytes', string.format('%.0f', bytes), 'recounted',
    string.format('%.0f', now))
return real - jobs
