#!lua flags=no-writes
-- Tells how many callbacks there are, and how old the oldest is that waits for
-- its first attempt. Read-only.
--
-- KEYS: 1 queue, 2 callbacks, 3 due, 4 dead, 5 destinations, 6 strangers
-- ARGV: 1 what the keys of the destinations' lists begin with, before the hash,
--       2 of how many destinations the lists are looked at, of each kind
-- Reply: {jobs that wait in lists; members of `due`; entries of `dead`;
--        age of the oldest in ms, 0 if none waits or none says when it was
--        accepted}
--
-- The destinations whose turn began first are looked at: a destination that is
-- not served has the oldest job. Entries with attempts come back to the end of
-- a list, so that few are before the first without.
--
-- The keys of the lists are not declared, as in jobs-recount.lua.
local RETRIES = 8 -- entries with attempts that are passed over
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest

local function note(entry)
    if not entry or string.sub(entry, 1, 1) ~= '{' then
        return false
    end
    local at = tonumber(string.match(entry, '"at":(%d+)'))
    if at and (not oldest or at < oldest) then
        oldest = at
    end
    return true
end

note(call('LINDEX', KEYS[2], 0))
for i = 5, 6 do
    for _, origin in ipairs(call('ZRANGE', KEYS[i], 0, ARGV[2] - 1)) do
        local list = ARGV[1] .. string.sub(redis.sha1hex(origin), 1, 32)
        if not note(call('LINDEX', list, 0)) then
            for _, entry in ipairs(call('LRANGE', list, 1, RETRIES)) do
                if note(entry) then
                    break
                end
            end
        end
    end
end

local due = call('ZCARD', KEYS[3])
local queued = tonumber(call('HGET', KEYS[1], 'jobs') or 0)
return {
    math.max(queued - due, 0) + call('LLEN', KEYS[2]),
    due,
    call('LLEN', KEYS[4]),
    oldest and math.max(now - oldest, 0) or 0,
}
