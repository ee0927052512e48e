#!lua flags=no-writes
-- Replies a part of what `vervectl doctor` needs beside INFO and CONFIG. No part
-- has keys of two shards, or a key of a shard and another, as they may be on two
-- nodes.
--
-- ARGV[1] = "shard"    KEYS: meta, reporters
--                      Reply: "time <ms>"; "meta <field> <value>", for each;
--                      "worker <host>:<pid>", for each that delivers callbacks
-- ARGV[1] = "present"  KEYS: presence, presence-said; ARGV[2]: ms after which a
--                      silent program is gone
--                      Reply: "config <version> <digest> <program>/<host>", for
--                      each that lives
-- ARGV[1] = "windows"  KEYS: windows
--                      Reply: "most <count>", that of the window with the most
--                      ids of the last 1,000
-- ARGV[1] = "sinks"    KEYS: sinks; ARGV[2]: ms after which an idle sink belongs
--                      to a host that is gone
--                      Reply: "idle <sink> <days>", for each of those
--
-- A reply is lines of printable ASCII.

local function word(value)
    return (string.gsub(tostring(value), '[^\33-\126]', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lines = {}

local function add(...)
    lines[#lines + 1] = table.concat({...}, ' ')
end

local tell = {}

function tell.shard()
    add('time', string.format('%.0f', now))
    local meta = redis.call('HGETALL', KEYS[1])
    for i = 1, #meta, 2 do
        add('meta', word(meta[i]), word(meta[i + 1]))
    end
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], now, '+inf')) do
        add('worker', word(name))
    end
end

function tell.windows()
    local most = 0
    for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT',
        1000)) do
        for i = 1, #entry[2], 2 do
            if entry[2][i] == 'count' then
                most = math.max(most, tonumber(entry[2][i + 1]) or 0)
            end
        end
    end
    add('most', string.format('%.0f', most))
end

function tell.present()
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[2],
        '+inf')) do
        local ok, said = pcall(cjson.decode,
            redis.call('HGET', KEYS[2], name) or '')
        local id = string.match(name, '^[^/]+/[^/]+')
        if id and ok and type(said) == 'table' and said.config then
            add('config', word(said.version), word(said.config), word(id))
        end
    end
end

function tell.sinks()
    local idle = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2],
        'WITHSCORES')
    for i = 1, #idle, 2 do
        add('idle', word(idle[i]),
            string.format('%.0f', math.floor((now - idle[i + 1]) / 86400000)))
    end
end

tell[ARGV[1]]()
return table.concat(lines, '\n')
