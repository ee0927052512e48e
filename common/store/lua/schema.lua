-- Compares what all programs must share (the schema) with what is written in
-- `meta`. It is run at each connect, and again if Redis's data was reset. If
-- `meta` does not exist, the program's values are written there, and `born` is
-- set: the data begins at that moment. If an operator deleted `meta`, older
-- counts follow another schema (see notice_loss in window_closer.c).
--
-- KEYS: 1 meta, 2 born, 3 run, 4 marks, 5 unconfirmed
-- ARGV: pairs of a field and the program's value of that field
-- Reply: born, or an error that says what differs
--
-- `born` is in seconds, with a fraction so that no two are the same. Only here
-- is it checked: the other scripts compare it with what this one replied.
--
-- `run` holds the run_id of Redis. If it differs, Redis was restarted, or a
-- replica took over: it may lack the last writes. All marks then become
-- unconfirmed, until their owners show that nothing they confirmed is missing
-- (marks-confirm.lua), or had their time to do so (marks-settle.lua).

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

-- A user who may not run INFO gets no such id.
local info = redis.pcall('INFO', 'server') -- optional
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)')
local before = redis.call('HGET', KEYS[3], 'id')
if run and run ~= before then
    local marks = redis.call('HGETALL', KEYS[4])
    for i = 1, #marks, 2 do
        redis.call('HSET', KEYS[5], marks[i], marks[i + 1])
    end
    redis.call('DEL', KEYS[4])
    redis.call('HSET', KEYS[3], 'id', run, 'at', time[1], 'before',
        redis.call('HGET', KEYS[3], 'appendfsync') or '')
    redis.call('HDEL', KEYS[3], 'appendfsync')
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
