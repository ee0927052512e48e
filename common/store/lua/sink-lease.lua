-- Acquires the lease of a sink if it is free, or renews it if the caller has
-- it. Replies the sink's cursor in any case.
--
-- KEYS: 1 sink:<name>
-- ARGV: 1 owner, 2 length of the lease in ms
-- Reply: {token, cursor, rewound}; token is 0 if another owner has the lease;
--        cursor is 0 if nothing was written yet; rewound is when vervectl set
--        the cursor back, in ms since the Unix epoch, or 0
--
-- Each lease gets a token that was never used before. Each owner's name is
-- unique, so that no harm is done if a reply is lost.

local fields = redis.call('HMGET', KEYS[1], 'owner', 'token', 'lease_end_ms',
    'cursor', 'rewound_ms')
if fields[4] and not tonumber(fields[4]) then
    return redis.error_reply('ERR ' .. KEYS[1] .. ': its cursor is no number')
end
local owner, token = fields[1], tonumber(fields[2]) or 0
local end_ms, cursor = tonumber(fields[3]) or 0, fields[4] or '0'
local length_ms, rewound = tonumber(ARGV[2]), fields[5] or '0'

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
if owner ~= ARGV[1] then
    -- If it ends later than any lease can, Redis's clock has stepped back.
    if end_ms > now_ms + length_ms then
        end_ms = now_ms + length_ms
        redis.call('HSET', KEYS[1], 'lease_end_ms', end_ms)
    end
    if end_ms > now_ms then
        return {0, cursor, rewound}
    end
    token = token + 1
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', token,
    'lease_end_ms', now_ms + length_ms)
return {token, cursor, rewound}
