-- Claims callback jobs for one reporter. Half of them are jobs in `due` that
-- are due again, and half are the oldest jobs of the list `callbacks`, so that
-- neither half waits for the other. If one half has fewer jobs, the other gets
-- more. All times are Redis's.
--
-- KEYS: 1 callbacks, 2 due
-- ARGV: 1 the token of this claim, "<hex>.<hex>"; it was used before only if
--       the reply to this claim was lost,
--       2 how many jobs at most, 1 to 256,
--       3 the length of the lease in ms,
--       4 if the reply to this claim was lost: how many ms ago it was sent for
--       the first time; else 0
-- Reply: how many of the jobs were in `due` before; the time, in ms since the
--        Unix epoch; then the members of `due` that are claimed, those that
--        were in it before first: "<claim> <attempts> <json>". The claim is the
--        token; if the job's lease had run out before an attempt began, with ~
--        in place of the dot
--
-- The order of the commands matters. Both keys are read before the first write,
-- so that the script fails before it changes anything if a key has a wrong
-- type. Commands that free memory come before commands that need memory, so
-- that the queue can be emptied while Redis is out of memory.
local MARGIN_MS, LOOK_AT = 1000, 4096
local claim, most, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local doubtful = string.gsub(claim, '%.', '~')

-- Nor must a right that was withdrawn since the connect stop it halfway.
if not redis.acl_check_cmd('ZREM', KEYS[2], '')
    or not redis.acl_check_cmd('ZADD', KEYS[2], '0', '') then
    return redis.error_reply('NOPERM +zrem and +zadd are needed')
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local members, scored = {0, now}, {}

local function take(holder, attempts, json)
    local member = holder .. ' ' .. attempts .. ' ' .. json
    members[#members + 1] = member
    scored[#scored + 1] = now + lease
    scored[#scored + 1] = member
end

-- The jobs that an earlier run of this claim leased, if its reply was lost.
-- Nobody has made an attempt for them. (If their lease has run out: see below.)
local since = math.min(tonumber(ARGV[4]), lease)
if since > 0 then
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2],
        now + lease - since - MARGIN_MS, '+inf', 'LIMIT', 0, LOOK_AT)) do
        local holder = string.match(member, '^%S+')
        if holder == claim or holder == doubtful then
            members[#members + 1] = member
            scored[#scored + 1] = now + lease
            scored[#scored + 1] = member
        end
    end
    if #scored > 0 then
        redis.call('ZADD', KEYS[2], unpack(scored))
        return members
    end
end

local up = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, most)
local listed = math.min(redis.call('LLEN', KEYS[1]),
    math.max(most - #up, math.floor(most / 2)))
for i = #up, most - listed + 1, -1 do
    up[i] = nil
end
local new = listed > 0 and redis.call('LPOP', KEYS[1], listed) or {}

for _, member in ipairs(up) do
    local holder, attempts, json = string.match(member, '^(%S+) (%d+) (.*)$')
    if not holder then
        take(claim, 0, member) -- unreadable: the reporter moves it to `dead`
    elseif holder == '-' or holder == claim then
        take(claim, attempts, json)
    elseif string.find(holder, '!', 1, true) then
        take(claim, attempts + 1, json) -- its lease ran out during an attempt
    else
        take(doubtful, attempts, json) -- its lease ran out
    end
end
for _, json in ipairs(new) do
    take(claim, 0, json)
end

members[1] = #up
if #up > 0 then
    redis.call('ZREM', KEYS[2], unpack(up))
end
if #scored > 0 then
    redis.call('ZADD', KEYS[2], unpack(scored))
end
return members
