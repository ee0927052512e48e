#!lua flags=allow-oom
-- Settles claimed callback jobs. A job is settled if the exact bytes of its
-- member can be removed from `due`. If they are gone, the job was claimed again
-- since, and nothing happens. So a second run with the same arguments changes
-- nothing.
--
-- KEYS: 1 due, 2 dead, 3 queue
-- ARGV: 1 how many entries the list `dead` may have,
--       2 n, the number of jobs that were delivered or dropped,
--       3... the members of those n jobs,
--       then by threes, for each other job: its member; the ms until it is due
--       again, or "dead"; its new member of `due`, or its entry in `dead`
-- Reply: {stale, dropped}: stale jobs were not in `due` any more; dropped
--        entries were the oldest of `dead`, over its limit
--
-- LLEN and HMGET come first: if a key has a wrong type, the script fails before
-- it changes anything.
--
-- allow-oom: the queue can be emptied while Redis is out of memory.
local call = redis.call
local most_dead, delivered = tonumber(ARGV[1]), tonumber(ARGV[2])

-- A right that was withdrawn since the connect must not stop it halfway.
if not redis.acl_check_cmd('RPUSH', KEYS[2], '')
    or not redis.acl_check_cmd('ZADD', KEYS[1], '0', '')
    or not redis.acl_check_cmd('HSET', KEYS[3], '', '') then
    return redis.error_reply('NOPERM +rpush, +zadd and +hset are needed')
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local dead = call('LLEN', KEYS[2])
local counted = call('HMGET', KEYS[3], 'jobs', 'bytes')
local stale, jobs, bytes = 0, 0, 0

-- The bytes of a job: of its JSON.
local function size(member)
    return #member - (string.match(member, '^[^ ]* [^ ]* ()') or 1) + 1
end

for i = 3, 2 + delivered do
    if call('ZREM', KEYS[1], ARGV[i]) == 0 then
        stale = stale + 1
    else
        jobs, bytes = jobs - 1, bytes - size(ARGV[i])
    end
end

for i = 3 + delivered, #ARGV, 3 do
    local member, delay, text = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if call('ZREM', KEYS[1], member) == 0 then
        stale = stale + 1
    elseif delay == 'dead' then
        dead = call('RPUSH', KEYS[2], text)
        jobs, bytes = jobs - 1, bytes - size(member)
    else
        call('ZADD', KEYS[1], now + tonumber(delay), text)
        bytes = bytes + size(text) - size(member)
    end
end

if jobs ~= 0 or bytes ~= 0 then
    -- A job that an older version queued was not counted: see
    -- jobs-recount.lua.
    jobs = math.max(0, (tonumber(counted[1]) or 0) + jobs)
    bytes = math.max(0, (tonumber(counted[2]) or 0) + bytes)
    call('HSET', KEYS[3], 'jobs', string.format('%.0f', jobs),
        'bytes', string.format('%.0f', jobs == 0 and 0 or bytes))
end

local dropped = math.max(0, dead - most_dead)
if dropped > 0 then
    call('LTRIM', KEYS[2], dropped, -1)
end
return {stale, dropped}
