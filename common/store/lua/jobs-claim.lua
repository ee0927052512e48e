-- Claims callback jobs for one reporter: half of those in `due` that are up
-- again, half of the oldest of the list, or more of the one where there are
-- fewer of the other: so neither keeps the other waiting. All times are
-- Redis's own.
--
-- KEYS[1]  the list `callbacks`
-- KEYS[2]  the zset `due`
-- ARGV[1]  the token of this claim: used before only where the reply was lost
-- ARGV[2]  how many jobs at most, 1 to 256
-- ARGV[3]  the length of the lease in milliseconds
-- ARGV[4]  how many milliseconds ago this claim was sent for the first time,
--          where no reply to that came; else 0
-- Reply    how many of these had been in `due` before, then the members of
--          `due` that are now ours, those first: "<claim> <attempts> <json>"
--
-- The order of the commands matters. Both keys are read before the first
-- write, so that a key of a wrong type stops the script while nothing was
-- done; and what makes room in memory comes before what takes it, so that a
-- Redis that is full can still be emptied.
local MARGIN_MS, LOOK_AT = 1000, 4096
local claim, most, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local members, scored = {0}, {}

local function take(attempts, json)
    local member = claim .. ' ' .. attempts .. ' ' .. json
    members[#members + 1] = member
    scored[#scored + 1] = now + lease
    scored[#scored + 1] = member
end

-- What a run of this claim has leased whose reply was lost: those are ours, and
-- nobody has made an attempt. (With a lease that ran out since: see below.)
local since = math.min(tonumber(ARGV[4]), lease)
if since > 0 then
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2],
        now + lease - since - MARGIN_MS, '+inf', 'LIMIT', 0, LOOK_AT)) do
        if string.sub(member, 1, #claim + 1) == claim .. ' ' then
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
        take(0, member) -- nothing of ours: the reporter will bury it
    elseif holder == '-' or holder == claim then
        take(attempts, json)
    else
        take(attempts + 1, json) -- its lease ran out
    end
end
for _, json in ipairs(new) do
    take(0, json)
end

members[1] = #up
if #up > 0 then
    redis.call('ZREM', KEYS[2], unpack(up))
end
if #scored > 0 then
    redis.call('ZADD', KEYS[2], unpack(scored))
end
return members
