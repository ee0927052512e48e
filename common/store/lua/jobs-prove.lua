#!lua flags=allow-oom
-- Notes which destinations are proven, because they have answered, and which
-- are not any more. Their jobs wait among those of their kind.
--
-- KEYS: 1 proven, 2 destinations, 3 strangers
-- ARGV: 1 how many destinations `proven` may have,
--       2 for how many ms a place is kept at most,
--       then pairs: a destination, and for how many ms its place in `proven` is
--       kept; 0 if it is not proven any more
-- Reply: how many were noted; the others are proven, and `proven` is full
--
-- The score of a destination is until when its place is kept. Until then nobody
-- can take its place; after that it stays while there is room. So destinations
-- that are new, however many, displace none that is noted again in time. A time
-- that is too far away was noted while the clock was wrong, and counts as over.
--
-- allow-oom: a destination that loses its proof must lose its slots at any
-- time; `proven` is small.
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, last = tonumber(ARGV[1]), now + ARGV[2]
local noted = 0

for i = 1, 3 do
    call('ZCARD', KEYS[i]) -- fails before the first write
end

-- Makes room for one. False if each place is kept.
local function make_room()
    if call('ZCARD', KEYS[1]) < most then
        return true
    end
    local over = call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
        or call('ZRANGEBYSCORE', KEYS[1], '(' .. last, '+inf', 'LIMIT', 0, 1)[1]
    return over and call('ZREM', KEYS[1], over) == 1
end

-- Keeps a place for kept_ms, or for longer if another reporter has said so.
local function keep(origin, score, kept_ms)
    score = tonumber(score)
    if not score or score < now + kept_ms or score > last then
        call('ZADD', KEYS[1], now + kept_ms, origin)
    end
end

local function move_turn(from, to, origin)
    if call('ZREM', from, origin) == 1 then
        call('ZADD', to, 'NX', now, origin)
    end
    noted = noted + 1
end

for i = 3, #ARGV, 2 do
    local origin, kept_ms = ARGV[i], tonumber(ARGV[i + 1])
    local score = call('ZSCORE', KEYS[1], origin)
    if kept_ms == 0 then
        call('ZREM', KEYS[1], origin)
        move_turn(KEYS[2], KEYS[3], origin)
    elseif score or make_room() then
        keep(origin, score, kept_ms)
        move_turn(KEYS[3], KEYS[2], origin)
    end
end
return noted
