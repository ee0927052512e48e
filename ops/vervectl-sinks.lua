#!lua flags=allow-oom
-- Lists the sinks, sets the cursor of a sink back, or forgets a sink. No call
-- needs two keys, as those of a Redis Cluster may be on two nodes.
--
-- ARGV[1] = "names"    KEYS: sinks
--                      ARGV[2] and further: names that are listed in any case
--                      Reply: lines: "<name> <raw> <seen>": the name in
--                      printable ASCII, the name with the octal escapes of
--                      printf(1), and epoch seconds or "-"
-- ARGV[1] = "show"     KEYS: sink:<name>
--                      ARGV[2]: the last window that is recorded, or "-"
--                      ARGV[3]: seconds of a window
--                      Reply: "<state> <cursor> <fields>", the cursor in epoch
--                      seconds or "-"
-- ARGV[1] = "rewind"   KEYS: sink:<name>
--                      ARGV[2]: start of the first window to be written again,
--                      ARGV[3]: start of the window before
--                      Reply: "done", "none": there is no such sink, or it has
--                      written nothing; "ahead <cursor>": it has not come so
--                      far
-- ARGV[1] = "forget"   KEYS: sink:<name>
--                      Reply: "done", "none": there is no such sink, or
--                      "live <owner>": a reporter writes to it
-- ARGV[1] = "unlist"   KEYS: sinks; ARGV[2]: the name of a forgotten sink
--                      Reply: "done" or "none"
--
-- A sink is live while a reporter has its lease. A reply is one text of
-- printable ASCII.
--
-- allow-oom: a cursor can be set back even if Redis is out of memory.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function word(value)
    return (string.gsub(value, '[^\33-\126]', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

-- For printf %b of the shell.
local function octal(value)
    return (string.gsub(value, '[^%w/:._-]', function(byte)
        return string.format('\\0%03o', string.byte(byte))
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

function act.names()
    local seen, names, lines = {}, {}, {}
    local flat = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')

    for i = 1, #flat, 2 do
        names[#names + 1] = flat[i]
        seen[flat[i]] = string.format('%.0f',
            math.floor(tonumber(flat[i + 1]) / 1000))
    end
    for i = 2, #ARGV do
        if not seen[ARGV[i]] then
            names[#names + 1] = ARGV[i]
            seen[ARGV[i]] = '-'
        end
    end
    table.sort(names)
    for i, name in ipairs(names) do
        lines[i] = table.concat({word(name), octal(name), seen[name]}, ' ')
    end
    return table.concat(lines, '\n')
end

function act.show()
    local sink = read(KEYS[1])
    local last = tonumber(ARGV[2])
    local cursor = sink and tonumber(sink.cursor)
    local live = sink and is_live(sink)
    local lag = cursor and last
        and math.max(0, math.ceil((last - cursor) / ARGV[3]))

    return string.format('%s %s lag=%s owner=%s',
        not sink and 'new' or live and 'live' or 'idle',
        cursor and string.format('%.0f', cursor) or '-',
        lag and string.format('%.0f', lag) or '-',
        live and owner_of(sink) or '-')
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
    return redis.call('DEL', KEYS[1]) > 0 and 'done' or 'none'
end

function act.unlist()
    return redis.call('ZREM', KEYS[1], ARGV[2]) > 0 and 'done' or 'none'
end

return act[ARGV[1]]()
