#!lua flags=allow-oom
-- Moves callback jobs to the lists of their destinations: jobs of `due` that
-- are due again, and jobs of the list `callbacks`, which another version or an
-- operator has put there. A job moves only if it is still in the place that
-- jobs-look.lua replied. So it does no harm if another reporter was faster, or
-- if the script is run twice.
--
-- KEYS: 1 callbacks, 2 due, 3 queue, 4 destinations, 5 strangers, 6 proven,
--       7... the list of each job
-- ARGV: 1 how many of the jobs are members of `due`; those come first,
--       then pairs for each job: its bytes, its destination. The destination of
--       an unreadable job of `callbacks` is "": the job moves to `due`.
-- Reply: how many jobs were moved
--
-- An entry of the list of a destination is the JSON of a job, or "<attempts>
-- <json>" if attempts were made. A ~ behind the number says that the lease ran
-- out before an attempt was known to have begun: see job_queue.h.
--
-- allow-oom: the queue can be emptied while Redis is out of memory.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local moved, jobs, bytes = 0, 0, 0
local due = tonumber(ARGV[1])
local new = #KEYS - 6 - due

-- A right that was withdrawn since the connect must not stop it halfway.
if not redis.acl_check_cmd('RPUSH', KEYS[7], '')
    or not redis.acl_check_cmd('ZADD', KEYS[4], '0', '')
    or not redis.acl_check_cmd('LPOP', KEYS[1], '1')
    or not redis.acl_check_cmd('ZSCORE', KEYS[6], '')
    or not redis.acl_check_cmd('HSET', KEYS[3], '', '') then
    return redis.error_reply(
        'NOPERM +rpush, +zadd, +lpop, +zscore and +hset are needed')
end

-- Commands that fail if a key has a wrong type come before the first write.
local first = new > 0 and call('LRANGE', KEYS[1], 0, new - 1) or {}
call('ZCARD', KEYS[2])
call('ZCARD', KEYS[4])
call('ZCARD', KEYS[5])
call('ZCARD', KEYS[6])
local counted = call('HMGET', KEYS[3], 'jobs', 'bytes')
local lists, order = {}, {} -- the lists that jobs go to, by key
for i = 7, #KEYS do
    if not lists[KEYS[i]] then
        call('LLEN', KEYS[i])
        lists[KEYS[i]] = {}
    end
end

local function push(i, entry)
    local list = lists[KEYS[i + 6]]
    if #list == 0 then
        order[#order + 1] = list
        list.key, list.origin = KEYS[i + 6], ARGV[2 * i + 1]
    end
    list[#list + 1] = entry
    moved = moved + 1
end

local function sort_due(i, member)
    local holder, attempts, json =
        string.match(member, '^([^ ]*) ([^ ]*) (.*)$')
    attempts = tonumber(attempts)
    if attempts and call('ZREM', KEYS[2], member) == 1 then
        local doubt = ''
        if string.find(holder, '!', 1, true) then
            attempts = attempts + 1 -- its lease ran out during an attempt
        elseif holder ~= '-' then
            doubt = '~' -- its lease ran out
        end
        push(i, attempts == 0 and doubt == '' and json
            or string.format('%.0f%s %s', attempts, doubt, json))
    end
end

local function sort_new(i, json)
    if ARGV[2 * i + 1] ~= '' then
        push(i, json)
    elseif call('ZADD', KEYS[2], now, '- 0 ' .. json) == 0 then
        return
    end
    jobs, bytes = jobs + 1, bytes + #json
end

for i = 1, due do
    sort_due(i, ARGV[2 * i])
end

-- The new jobs, as far as they still are the first of their list.
local same = 0
while same < new and first[same + 1] == ARGV[2 * (due + same + 1)] do
    same = same + 1
    sort_new(due + same, first[same])
end
if same > 0 then
    call('LPOP', KEYS[1], same)
end

for _, list in ipairs(order) do
    call('RPUSH', list.key, unpack(list))
    call('ZADD', call('ZSCORE', KEYS[6], list.origin) and KEYS[4] or KEYS[5],
        'NX', now, list.origin)
end
if jobs > 0 then
    call('HSET', KEYS[3],
        'jobs', string.format('%.0f', (tonumber(counted[1]) or 0) + jobs),
        'bytes', string.format('%.0f', (tonumber(counted[2]) or 0) + bytes))
end
return moved
