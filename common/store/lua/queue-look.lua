-- The second part of queue.lua: tells how many callbacks there are, and how old
-- the oldest is that waits for its first attempt. Read-only.
--
-- KEYS: 1 queue, 2 callbacks, 3 due, 4 dead, 5 destinations, 6 strangers
-- ARGV: 1 what the keys of the destinations' lists begin with, before the hash,
--       2 of how many destinations the lists are looked at, of each kind
-- Reply: {jobs that wait in lists; members of `due`; entries of `dead`;
--        age of the oldest in ms, 0 if none waits or none says when it was
--        accepted}

local due = call('ZCARD', KEYS[3])
local queued = tonumber(call('HGET', KEYS[1], 'jobs') or 0)
return {
    math.max(queued - due, 0) + call('LLEN', KEYS[2]),
    due,
    call('LLEN', KEYS[4]),
    oldest_ms(KEYS[2], {KEYS[5], KEYS[6]}, ARGV[1], ARGV[2]),
}
