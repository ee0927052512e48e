-- The second part of queue.lua: looks at all that the status page shows but the
-- records of windows, which status-windows.lua reads. Read-only.
--
-- KEYS: 1 sealed, 2 queue, 3 callbacks, 4 due, 5 dead, 6 destinations,
--       7 strangers, 8 presence, 9 presence-said
-- ARGV: 1 seconds of a window, 2 what the keys of counts begin with, before the
--       window, 3 what the keys of the destinations' lists begin with, before
--       the hash, 4 how many entries of `presence`, 5 how many dead jobs, 6 of
--       how many destinations the lists are looked at, of each kind
-- Reply: {{now, window on, its count, the window of Redis's clock, bytes used,
--         limit of bytes; 0: none, or not known},
--        {jobs in lists, members of `due`, jobs that count for the limit, bytes
--         of them, entries of `dead`, age in ms of the oldest first attempt},
--        {{name, ms since it was seen, JSON}, ...} the last seen first,
--        {dead jobs, the newest first}}
--
-- The numbers of the queue are those of accept.lua, which explains them. The
-- keys that depend on the window and on the destinations are not declared; they
-- have the hash tag of those that are.

local length = tonumber(ARGV[1])

local clock = time[1] - time[1] % length
local on = clock
local sealed = tonumber(call('GET', KEYS[1]) or nil)
if sealed and on <= sealed then
    on = sealed - sealed % length + length
end
local count = call('GET', ARGV[2] .. string.format('%.0f', on)) or '0'

-- A user who may not run INFO sees no memory.
local info = redis.pcall('INFO', 'memory') -- optional
local function number_of(name)
    return type(info) == 'string' and string.match(info, name .. ':(%d+)')
        or '0'
end

local queue = call('HMGET', KEYS[2], 'jobs', 'bytes')
local due, others = call('ZCARD', KEYS[4]), call('LLEN', KEYS[3])
local jobs = math.max(tonumber(queue[1]) or 0, due)
local bytes = (tonumber(queue[2]) or 0) + jobs * 150 + others * 450
    + 600 * (call('ZCARD', KEYS[6]) + call('ZCARD', KEYS[7]))

local present = {}
local names = call('ZREVRANGEBYSCORE', KEYS[8], '+inf', '-inf', 'WITHSCORES',
    'LIMIT', 0, ARGV[4])
for i = 1, #names, 2 do
    present[#present + 1] = {names[i], math.max(now - names[i + 1], 0),
        call('HGET', KEYS[9], names[i]) or ''}
end

local dead = {}
for i = 1, math.min(call('LLEN', KEYS[5]), tonumber(ARGV[5])) do
    dead[i] = call('LINDEX', KEYS[5], -i)
end

return {
    {now, on, count, clock, number_of('used_memory'), number_of('maxmemory')},
    {math.max(jobs - due, 0) + others, due, jobs + others, bytes,
        call('LLEN', KEYS[5]),
        oldest_ms(KEYS[3], {KEYS[6], KEYS[7]}, ARGV[3], ARGV[6])},
    present, dead,
}
