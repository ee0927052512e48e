-- Moves a sink's cursor forward, if the caller has the lease. The cursor moves
-- back only if it is so far in the future that an operator must have set it.
--
-- KEYS: 1 sink:<name>
-- ARGV: 1 owner, 2 its token, 3 start of the last window that was written,
--       4 the first window that can't have been written yet
-- Reply: {moved, cursor}; moved is 0 if the caller does not have the lease, and
--        nothing was done

local fields = redis.call('HMGET', KEYS[1], 'owner', 'token', 'lease_end_ms',
    'cursor')
if fields[4] and not tonumber(fields[4]) then
    return redis.error_reply('ERR ' .. KEYS[1] .. ': its cursor is no number')
end
local cursor = tonumber(fields[4] or 0)
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

if fields[1] ~= ARGV[1] or fields[2] ~= ARGV[2] or
    (tonumber(fields[3]) or 0) <= now_ms then
    return {0, cursor}
end
if tonumber(ARGV[3]) > cursor or cursor >= tonumber(ARGV[4]) then
    cursor = tonumber(ARGV[3])
    redis.call('HSET', KEYS[1], 'cursor', ARGV[3])
end
return {1, cursor}
