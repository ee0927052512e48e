#!lua flags=allow-oom
-- Claims callback jobs for one reporter, from the lists of the destinations
-- that it has room for. All times are Redis's.
--
-- KEYS: 1 due, 2 destinations, 3 strangers, 4 proven, 5... the list of each
--       destination
-- ARGV: 1 the token of this claim, "<hex>.<hex>"; it was used before only if
--       the reply to this claim was lost,
--       2 the length of the lease in ms,
--       3 if the reply to this claim was lost: how many ms ago it was sent for
--       the first time; else 0,
--       then by threes, for each destination: the destination, how many jobs at
--       most, the ms until it should be found again if jobs are left
-- Reply: {the members of `due` that are claimed: "<claim> <attempts> <json>",
--        the claim being the token, with ~ in place of the dot if the job's
--        lease had run out before an attempt began;
--        for each destination: how many of its jobs are left in its list; the
--        time, in ms since the Unix epoch}; the second array is empty if the
--        reply to this claim was lost
--
-- The score of a destination says since when it waits for its turn. A served
-- destination goes behind those that wait. A destination that the reporter has
-- no room for (0 jobs at most) is passed over for a while.
--
-- allow-oom: the queue can be emptied while Redis is out of memory.
local MARGIN_MS, LOOK_AT = 1000, 4096
local call = redis.call
local claim, lease = ARGV[1], tonumber(ARGV[2])
local doubtful = string.gsub(claim, '%.', '~')

-- A right that was withdrawn since the connect must not stop it halfway.
if not redis.acl_check_cmd('ZREM', KEYS[2], '')
    or not redis.acl_check_cmd('ZADD', KEYS[1], '0', '') then
    return redis.error_reply('NOPERM +zrem and +zadd are needed')
end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local members, scored, left = {}, {}, {}

local function lease_out(member)
    members[#members + 1] = member
    scored[#scored + 1] = now + lease
    scored[#scored + 1] = member
end

-- The jobs that an earlier run of this claim leased, if its reply was lost.
-- Nobody has made an attempt for them.
local since = tonumber(ARGV[3])
if since > 0 then
    for _, member in ipairs(call('ZRANGEBYSCORE', KEYS[1],
        now + lease - since - MARGIN_MS, '+inf', 'LIMIT', 0, LOOK_AT)) do
        local holder = string.match(member, '^[^ ]*')
        if holder == claim or holder == doubtful then
            lease_out(member)
        end
    end
    if #scored > 0 then
        call('ZADD', KEYS[1], unpack(scored))
        return {members, left, now}
    end
end

-- Commands that fail if a key has a wrong type come before the first write.
call('ZCARD', KEYS[1])
for i = 2, 4 do
    call('ZCARD', KEYS[i])
end
for i = 5, #KEYS do
    left[i - 4] = call('LLEN', KEYS[i])
end

-- By key: what is to be added and removed. One command for many destinations is
-- cheaper than many commands.
local added, removed = {}, {}
for i = 2, 3 do
    added[KEYS[i]], removed[KEYS[i]] = {}, {}
end

local function add_turn(key, turn_ms, origin)
    local list = added[key]
    list[#list + 1] = turn_ms
    list[#list + 1] = origin
end

local function remove_turn(key, origin)
    table.insert(removed[key], origin)
end

for i = 1, #left do
    local origin, most = ARGV[3 * i + 1], tonumber(ARGV[3 * i + 2])
    local taken = most > 0 and left[i] > 0 and call('LPOP', KEYS[i + 4], most)
        or {}
    for _, entry in ipairs(taken) do
        local attempts, doubt, json =
            string.match(entry, '^(%d+)(~?) (.*)$')
        lease_out((doubt == '~' and doubtful or claim) .. ' '
            .. (attempts or 0) .. ' ' .. (json or entry))
    end
    left[i] = left[i] - #taken
    if left[i] == 0 then
        remove_turn(KEYS[2], origin)
        remove_turn(KEYS[3], origin)
    else
        local turns, others = KEYS[2], KEYS[3]
        if not call('ZSCORE', KEYS[4], origin) then
            turns, others = others, turns
        end
        remove_turn(others, origin)
        add_turn(turns, now + ARGV[3 * i + 3], origin)
    end
end
for i = 2, 3 do
    if #removed[KEYS[i]] > 0 then
        call('ZREM', KEYS[i], unpack(removed[KEYS[i]]))
    end
    if #added[KEYS[i]] > 0 then
        call('ZADD', KEYS[i], unpack(added[KEYS[i]]))
    end
end
if #scored > 0 then
    call('ZADD', KEYS[1], unpack(scored))
end
return {members, left, now}
