#!lua flags=allow-oom
-- Lists the sinks, sets the cursor of a sink back, or forgets a sink.
--
-- ARGV[1] = "list"     KEYS: sinks, windows, meta
--                      ARGV[2]: the beginning of the keys of sinks
--                      ARGV[3]: seconds of a window, if meta has no value
--                      ARGV[4] and further: names that are listed in any case
--                      Reply: lines: "<name> <state> <cursor> <seen> <fields>",
--                      the last two numbers in epoch seconds or "-"
-- ARGV[1] = "rewind"   KEYS: sink:<name>
--                      ARGV[2]: start of the first window to be written again,
--                      ARGV[3]: start of the window before
--                      Reply: "done", "none": there is no such sink, or it has
--                      written nothing; "ahead <cursor>": it has not come so
--                      far
-- ARGV[1] = "forget"   KEYS: sink:<name>, sinks; ARGV[2]: the name
--                      Reply: "done", "none": there is no such sink, or
--                      "live <owner>": a reporter writes to it
--
-- A sink is live while a reporter has its lease. A reply is one text of
-- printable ASCII. The keys of sinks in a list are not declared.
--
-- allow-oom: a cursor can be set back even if Redis is out of memory.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function word(value)
    return (string.gsub(value, '[^\33-\126]', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

-- <host>:<pid>, without the random number behind.
local function owner_of(sink)
    return word(string.match(sink.owner or '', '^(.+):%x+$') or '-')
end

local function read(key)
    local flat, sink = redis.call('HGETALL', key), nil
    for i = 1, #flat, 2 do
        sink = sink or {}
        sink[flat[i]] = flat[i + 1]
    end
    return sink
end

local function is_live(sink)
    return (tonumber(sink.lease_end_ms) or 0) > now
end

local act = {}

function act.list()
    local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    local last = newest and tonumber(string.match(newest[1], '^%d+'))
    local seconds = tonumber(redis.call('HGET', KEYS[3], 'window_seconds')
        or ARGV[3])
    local seen, names, lines = {}, {}, {}
    local flat = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')

    for i = 1, #flat, 2 do
        names[#names + 1] = flat[i]
        seen[flat[i]] = string.format('%.0f',
            math.floor(tonumber(flat[i + 1]) / 1000))
    end
    for i = 4, #ARGV do
        if not seen[ARGV[i]] then
            names[#names + 1] = ARGV[i]
            seen[ARGV[i]] = '-'
        end
    end
    table.sort(names)
    for i, name in ipairs(names) do
        local sink = read(ARGV[2] .. name)
        local cursor = sink and tonumber(sink.cursor)
        local live = sink and is_live(sink)
        local lag = cursor and last
            and math.max(0, math.ceil((last - cursor) / seconds))
        lines[i] = string.format('%s %s %s %s lag=%s owner=%s', word(name),
            not sink and 'new' or live and 'live' or 'idle',
            cursor and string.format('%.0f', cursor) or '-', seen[name],
            lag and string.format('%.0f', lag) or '-',
            live and owner_of(sink) or '-')
    end
    return table.concat(lines, '\n')
end

-- The lease ends, and its token with it: what its owner still writes does not
-- move the cursor. rewound_ms tells all reporters of the rewind, and it grows,
-- also if the clock has stepped back.
function act.rewind()
    local sink = read(KEYS[1])
    local cursor = sink and tonumber(sink.cursor)
    if not cursor then
        return 'none'
    elseif cursor < tonumber(ARGV[2]) then
        return string.format('ahead %.0f', cursor)
    end
    redis.call('HSET', KEYS[1], 'cursor', ARGV[3], 'owner', 'vervectl',
        'token', string.format('%.0f', (tonumber(sink.token) or 0) + 1),
        'lease_end_ms', 0, 'rewound_ms', string.format('%.0f',
            math.max(now, (tonumber(sink.rewound_ms) or 0) + 1)))
    return 'done'
end

function act.forget()
    local sink = read(KEYS[1])
    if sink and is_live(sink) then
        return 'live ' .. owner_of(sink)
    end
    local deleted = redis.call('DEL', KEYS[1])
        + redis.call('ZREM', KEYS[2], ARGV[2])
    return deleted > 0 and 'done' or 'none'
end

return act[ARGV[1]]()
