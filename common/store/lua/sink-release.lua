-- Releases the lease of a sink, so that another owner can acquire it at once.
--
-- KEYS: 1 sink:<name>
-- ARGV: 1 owner, 2 its token
-- Reply: 1, or 0 if the caller does not have the lease

local fields = redis.call('HMGET', KEYS[1], 'owner', 'token')
if fields[1] ~= ARGV[1] or fields[2] ~= ARGV[2] then
    return 0
end
redis.call('HSET', KEYS[1], 'lease_end_ms', 0)
return 1
