-- Reads records out of the stream of closed windows, oldest first. Read-only.
--
-- KEYS: 1 windows
-- ARGV: 1 read the records of windows after this one, 2 how many at most
-- Reply: the last window whose record was deleted out of the stream, the
--        length in seconds of window ARGV[1]; each is "0" if it is not known;
--        then by fives: start, count, late, gap, seconds; "" for a field that
--        the record does not have

local reply = {'0', '0'}
if redis.call('EXISTS', KEYS[1]) == 1 then
    local info = redis.call('XINFO', 'STREAM', KEYS[1])
    for i = 1, #info, 2 do
        if info[i] == 'max-deleted-entry-id' then
            reply[1] = string.match(info[i + 1], '^%d+')
        end
    end
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])) do
    for i = 1, #entry[2], 2 do
        reply[2] = entry[2][i] == 'seconds' and entry[2][i + 1] or reply[2]
    end
end
local entries = redis.call('XRANGE', KEYS[1], string.format('%.0f',
    ARGV[1] + 1), '+', 'COUNT', ARGV[2])
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
