-- Agrees on what all programs must share; run at each connect.
--
-- KEYS: 1 meta, 2 born
-- ARGV: pairs of a field and the value that the program wants it to have
-- Reply: the fields that differ, as triples of field, value here, value wanted

-- A write without effect: a replica refuses it, and is then not used.
redis.call('PERSIST', KEYS[1])

if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], unpack(ARGV))
    redis.call('SET', KEYS[2], redis.call('TIME')[1], 'NX')
    return {}
end

local differ = {}
for i = 1, #ARGV, 2 do
    local here = redis.call('HGET', KEYS[1], ARGV[i])
    if here ~= ARGV[i + 1] then
        differ[#differ + 1] = ARGV[i]
        differ[#differ + 1] = here or ''
        differ[#differ + 1] = ARGV[i + 1]
    end
end
return differ
