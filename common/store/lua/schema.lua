-- Compares what all programs must share (the schema) with what is written in
-- `meta`. It is run at each connect, and again if Redis's data was reset. If
-- `meta` does not exist, the program's values are written there, and `born` is
-- set: the data begins at that moment. If an operator deleted `meta`, older
-- counts follow another schema (see notice_loss in window_closer.c).
--
-- KEYS: 1 meta, 2 born
-- ARGV: pairs of a field and the program's value of that field
-- Reply: born, or an error that says what differs
--
-- `born` is in seconds, with a fraction so that no two are the same. Only here
-- is it checked: the other scripts compare it with what this one replied.

local function shown(text)
    return string.sub(text or '?', 1, 20)
end

-- A write without effect. A replica refuses it, and is then not used.
redis.call('PERSIST', KEYS[1])

local born = redis.call('GET', KEYS[2])
local time = redis.call('TIME')
local agreed = redis.call('EXISTS', KEYS[1]) == 1
for i = 1, agreed and #ARGV or 0, 2 do
    local here = redis.call('HGET', KEYS[1], ARGV[i])
    if here ~= ARGV[i + 1] then
        return redis.error_reply(string.format('MISMATCH %s is %s there and'
            .. ' %s here; give all programs the same, or stop them all and'
            .. ' DEL %s', ARGV[i], shown(here), shown(ARGV[i + 1]), KEYS[1]))
    end
end

if not agreed then
    redis.call('HSET', KEYS[1], unpack(ARGV))
end
if not agreed or not born then
    born = string.format('%s.%06d', time[1], time[2])
    redis.call('SET', KEYS[2], born)
elseif not tonumber(born) then
    return redis.error_reply('ERR ' .. KEYS[2] .. ' is not a time')
end
return born
