-- Reads records out of the stream of closed windows, oldest first.
--
-- KEYS: 1 windows
-- ARGV: 1 the start from which on, 2 how many at most
-- Reply: by fives: start, count, late, gap, seconds; "" for a field that is not
--        there

local reply = {}
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
for _, entry in ipairs(entries) do
    local fields = {}
    for i = 1, #entry[2], 2 do
        fields[entry[2][i]] = entry[2][i + 1]
    end
    reply[#reply + 1] = string.match(entry[1], '^%d+')
    reply[#reply + 1] = fields.count or ''
    reply[#reply + 1] = fields.late or ''
    reply[#reply + 1] = fields.gap or ''
    reply[#reply + 1] = fields.seconds or ''
end
return reply
