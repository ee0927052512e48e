#!lua flags=no-writes
-- Replies what `vervectl check` judges.
--
-- KEYS: 1 meta, 2 born, 3 windows, 4 callbacks, 5 due, 6 dead, 7 queue,
--       8 destinations, 9 strangers, 10 reporters, 11 presence,
--       12 presence-said, 13 sinks
-- ARGV: 1 seconds of a window, if meta has no value, 2 the beginning of the
--       keys of the destinations' lists, 3 of the keys of reporters, 4 of those
--       of sinks, 5 ms after which a silent program is gone, 6 ms after which
--       an idle sink is no longer expected
-- Reply: lines of words:
--        "time <ms>"
--        "windows <seconds> <ms since the last recorded one ended> <gaps of the
--        last hour>"
--        "queue <jobs> <bytes> <dead> <ms that the oldest waits>"
--        "live <reporters> <web hosts>"
--        "memory <used> <max>", in bytes
--        "sink <name> <windows that it is behind>", for each
--        "down <destination> <jobs>", for each that does not answer
--        "config <version> <digest> <name of a program>", for each program
-- A number that is not known is "-". All is printable ASCII. The keys of lists,
-- reporters and sinks are not declared.

local MAX_HEADS = 1000 -- lists whose oldest job is looked at
local GRACE_S = 20     -- a sink may be behind for so long

local function word(value)
    return (string.gsub(tostring(value), '[^\33-\126]', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

local function number(value)
    return value and string.format('%.0f', value) or '-'
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seconds = tonumber(redis.call('HGET', KEYS[1], 'window_seconds')
    or ARGV[1])
local lines = {'time ' .. number(now)}

local function add(...)
    lines[#lines + 1] = table.concat({...}, ' ')
end

local function first_s(id)
    return tonumber(string.match(id, '^%d+'))
end

-- The newest window that is recorded; nil: none.
local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local last = newest and first_s(newest[1])

local function tell_windows()
    local since_s = last and last + seconds
        or tonumber(redis.call('GET', KEYS[2]) or nil)
    local gaps = 0
    for _, entry in ipairs(redis.call('XRANGE', KEYS[3],
        number(math.max(0, time[1] - 3600 - seconds)), '+')) do
        for i = 1, #entry[2], 2 do
            if entry[2][i] == 'gap' and entry[2][i + 1] == '1' then
                gaps = gaps + 1
            end
        end
    end
    add('windows', number(seconds), number(since_s and now - since_s * 1000),
        number(gaps))
end

-- The oldest job is the first of some list.
local function oldest_ms()
    local oldest, looked = nil, 0
    for i = 8, 9 do
        for _, origin in ipairs(redis.call('ZRANGE', KEYS[i], 0,
            MAX_HEADS - looked - 1)) do
            local head = redis.call('LINDEX', ARGV[2]
                .. string.sub(redis.sha1hex(origin), 1, 32), 0)
            local at = tonumber(string.match(head or '', '"at":(%d+)'))
            oldest = at and math.min(oldest or at, at) or oldest
            looked = looked + 1
        end
        if looked >= MAX_HEADS then
            break
        end
    end
    return oldest and math.max(0, now - oldest)
end

-- The numbers are those of accept.lua, which explains them.
local function tell_queue()
    local queue = redis.call('HMGET', KEYS[7], 'jobs', 'bytes')
    local others = redis.call('LLEN', KEYS[4])
    local jobs = math.max(tonumber(queue[1]) or 0, redis.call('ZCARD', KEYS[5]))
    local bytes = (tonumber(queue[2]) or 0) + jobs * 150 + others * 450 + 600
        * (redis.call('ZCARD', KEYS[8]) + redis.call('ZCARD', KEYS[9]))
    add('queue', number(jobs + others), number(bytes),
        number(redis.call('LLEN', KEYS[6])), number(oldest_ms()))
end

-- Web hosts and reporters, each once, however many processes it has.
local function tell_live()
    local hosts, counts = {}, {['verve-fcgi'] = 0, ['verve-reporter'] = 0}
    local configs = {}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[11], now - ARGV[5],
        '+inf')) do
        local ok, said = pcall(cjson.decode,
            redis.call('HGET', KEYS[12], name) or '')
        local program, host = string.match(name, '^([^/]+)/([^/]+)/')
        local id = program and program .. '/' .. host
        if program == 'verve-reporter' and string.sub(name, -8) ~= '/reports'
            then
            id = nil
        end
        if id and counts[program] and not hosts[id] then
            hosts[id] = true
            counts[program] = counts[program] + 1
        end
        if id and ok and type(said) == 'table' and said.config then
            configs[#configs + 1] = 'config ' .. word(said.version) .. ' '
                .. word(said.config) .. ' ' .. word(id)
        end
    end
    add('live', number(counts['verve-reporter']), number(counts['verve-fcgi']))
    for _, line in ipairs(configs) do
        add(line)
    end
end

local function tell_memory()
    local info = redis.pcall('INFO', 'memory') -- optional
    info = type(info) == 'string' and info or ''
    add('memory', number(tonumber(string.match(info, '\nused_memory:(%d+)'))),
        number(tonumber(string.match(info, '\nmaxmemory:(%d+)'))))
end

-- A sink needs only those windows that ended GRACE_S ago, or a window ago. One
-- that no reporter has had for long belongs to a host that is gone.
local function tell_sinks()
    local grace_s = math.min(GRACE_S, seconds)
    local wanted = last and math.min(last, math.floor(
        (time[1] - grace_s) / seconds) * seconds - seconds)
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[13], now - ARGV[6],
        '+inf')) do
        local cursor = tonumber(redis.call('HGET', ARGV[4] .. name, 'cursor')
            or nil)
        if not cursor and wanted then
            -- It has written nothing: it lacks all windows that are recorded.
            local oldest = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)
            cursor = first_s(oldest[1][1]) - seconds
        end
        local lag = wanted and math.max(0,
            math.ceil((wanted - cursor) / seconds)) or 0
        add('sink', word(name), number(lag))
    end
end

-- What the workers that deliver know of their destinations; each once.
local function tell_down()
    local down = {}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[10], now, '+inf')) do
        local ok, said = pcall(cjson.decode,
            redis.call('GET', ARGV[3] .. name) or '')
        local all = ok and type(said) == 'table' and said.destinations
        for _, one in ipairs(type(all) == 'table' and all or {}) do
            if type(one) == 'table' and one.origin
                and one.breaker ~= 'closed' and not down[one.origin] then
                local list = ARGV[2]
                    .. string.sub(redis.sha1hex(one.origin), 1, 32)
                down[one.origin] = true
                add('down', word(one.origin), number(redis.call('LLEN', list)
                    + (tonumber(one.waiting) or 0)))
            end
        end
    end
end

tell_windows()
tell_queue()
tell_live()
tell_memory()
tell_sinks()
tell_down()
return table.concat(lines, '\n')
