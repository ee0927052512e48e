#!lua flags=no-writes
-- The first part of two: how long the oldest callback has waited for its first
-- attempt. The second part, queue-look.lua or status.lua, has the keys and the
-- arguments. The build puts them together.
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

-- callbacks: a key; turns: the keys of the zsets of destinations; stem: what
-- the keys of their lists begin with, before the hash; most: of how many
-- destinations the lists are looked at, of each kind. The age in ms; 0: none
-- waits, or none says when it was accepted.
local function oldest_ms(callbacks, turns, stem, most)
    local oldest = now
    local function note(entry)
        if not entry or string.sub(entry, 1, 1) ~= '{' then
            return false
        end
        oldest = math.min(oldest,
            tonumber(string.match(entry, '"at":(%d+)')) or now)
        return true
    end

    note(call('LINDEX', callbacks, 0))
    for _, key in ipairs(turns) do
        for _, origin in ipairs(call('ZRANGE', key, 0, most - 1)) do
            local list = stem .. string.sub(redis.sha1hex(origin), 1, 32)
            if not note(call('LINDEX', list, 0)) then
                for _, entry in ipairs(call('LRANGE', list, 1, RETRIES)) do
                    if note(entry) then
                        break
                    end
                end
            end
        end
    end
    return now - oldest
end
