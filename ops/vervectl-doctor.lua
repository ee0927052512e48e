#!lua flags=no-writes
-- Replies what `vervectl doctor` needs beside INFO and CONFIG.
--
-- KEYS: 1 meta, 2 windows, 3 reporters, 4 presence, 5 presence-said, 6 sinks
-- ARGV: 1 ms after which a silent program is gone, 2 ms after which an idle
--       sink belongs to a host that is gone
-- Reply: lines of words:
--        "time <ms>"
--        "meta <field> <value>", for each
--        "most <count>", that of the window with the most ids of the last 1,000
--        "worker <host>:<pid>", for each that delivers callbacks
--        "config <version> <digest> <program>/<host>", for each that lives
--        "idle <sink> <days>", for each sink of a host that is gone
-- All is printable ASCII.

local function word(value)
    return (string.gsub(tostring(value), '[^\33-\126]', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lines = {string.format('time %.0f', now)}

local function add(...)
    lines[#lines + 1] = table.concat({...}, ' ')
end

local meta = redis.call('HGETALL', KEYS[1])
for i = 1, #meta, 2 do
    add('meta', word(meta[i]), word(meta[i + 1]))
end

local most = 0
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT',
    1000)) do
    for i = 1, #entry[2], 2 do
        if entry[2][i] == 'count' then
            most = math.max(most, tonumber(entry[2][i + 1]) or 0)
        end
    end
end
add('most', string.format('%.0f', most))

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], now, '+inf')) do
    add('worker', word(name))
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], now - ARGV[1],
    '+inf')) do
    local ok, said = pcall(cjson.decode,
        redis.call('HGET', KEYS[5], name) or '')
    local id = string.match(name, '^[^/]+/[^/]+')
    if id and ok and type(said) == 'table' and said.config then
        add('config', word(said.version), word(said.config), word(id))
    end
end

local idle = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now - ARGV[2],
    'WITHSCORES')
for i = 1, #idle, 2 do
    add('idle', word(idle[i]),
        string.format('%.0f', math.floor((now - idle[i + 1]) / 86400000)))
end

return table.concat(lines, '\n')
