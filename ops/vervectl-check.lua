#!lua flags=no-writes
-- Replies a part of what `vervectl check` judges. No part has keys of two
-- shards, or a key of a shard and another, as they may be on two nodes.
--
-- ARGV[1] = "shard"    KEYS: 1 meta, 2 born, 3 callbacks, 4 due, 5 dead,
--                      6 queue, 7 destinations, 8 strangers, 9 reporters
--                      ARGV: 2 seconds of a window, if meta has no value, 3 the
--                      beginning of the keys of the destinations' lists, 4 of
--                      the keys of reporters
--                      Reply: "time <ms> <seconds of a window> <born>", the
--                      last in epoch seconds;
--                      "queue <jobs> <bytes> <dead> <ms that the oldest
--                      waits>"; "memory <used> <max>", in bytes;
--                      "down <destination> <jobs>", for each that does not
--                      answer
-- ARGV[1] = "present"  KEYS: presence, presence-said; ARGV[2]: ms after which a
--                      silent program is gone
--                      Reply: "live <reporters> <web hosts>"; "config <version>
--                      <digest> <name of a program>", for each program
-- ARGV[1] = "windows"  KEYS: windows; ARGV[2]: gaps are counted from this
--                      window on
--                      Reply: "windows <newest> <oldest> <gaps>", of those that
--                      are recorded
-- ARGV[1] = "sinks"    KEYS: sinks; ARGV[2]: ms after which an idle sink is no
--                      longer expected
--                      Reply: "sink <name> <raw>", for each: its name in
--                      printable ASCII, and with the octal escapes of printf(1)
-- ARGV[1] = "lag"      KEYS: sink:<name>; ARGV: 2 the last window that it
--                      should have, 3 the oldest that is recorded, 4 seconds of
--                      a window
--                      Reply: "lag <windows that it is behind>"
--
-- A reply is lines of printable ASCII; the first word says which. A number that
-- is not known is "-". The keys of lists and reporters are not declared; they
-- have the hash tag of the declared keys.

local MAX_HEADS = 1000 -- lists whose oldest job is looked at

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
local lines = {}

local function add(...)
    lines[#lines + 1] = table.concat({...}, ' ')
end

-- The window of an entry, as text.
local function window_of(entry)
    return entry and string.match(entry[1], '^%d+') or '-'
end

local tell = {}

function tell.windows()
    local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    local gaps = 0
    for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[2], '+')) do
        for i = 1, #entry[2], 2 do
            if entry[2][i] == 'gap' and entry[2][i + 1] == '1' then
                gaps = gaps + 1
            end
        end
    end
    add('windows', window_of(newest), window_of(oldest), number(gaps))
end

-- The oldest job is the first of some list.
local function oldest_ms()
    local oldest, looked = nil, 0
    for i = 7, 8 do
        for _, origin in ipairs(redis.call('ZRANGE', KEYS[i], 0,
            MAX_HEADS - looked - 1)) do
            local head = redis.call('LINDEX', ARGV[3]
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
    local queue = redis.call('HMGET', KEYS[6], 'jobs', 'bytes')
    local others = redis.call('LLEN', KEYS[3])
    local jobs = math.max(tonumber(queue[1]) or 0, redis.call('ZCARD', KEYS[4]))
    local bytes = (tonumber(queue[2]) or 0) + jobs * 150 + others * 450 + 600
        * (redis.call('ZCARD', KEYS[7]) + redis.call('ZCARD', KEYS[8]))
    add('queue', number(jobs + others), number(bytes),
        number(redis.call('LLEN', KEYS[5])), number(oldest_ms()))
end

-- Web hosts and reporters, each once, however many processes it has.
function tell.present()
    local hosts, counts = {}, {['verve-fcgi'] = 0, ['verve-reporter'] = 0}
    local configs = {}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[2],
        '+inf')) do
        local ok, said = pcall(cjson.decode,
            redis.call('HGET', KEYS[2], name) or '')
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

-- One that no reporter has had for long belongs to a host that is gone.
function tell.sinks()
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[2],
        '+inf')) do
        add('sink', word(name),
            (string.gsub(name, '[^%w/:._-]', function(byte)
                return string.format('\\0%03o', string.byte(byte))
            end)))
    end
end

-- If it has written nothing, it lacks all windows that are recorded.
function tell.lag()
    local cursor = tonumber(redis.call('HGET', KEYS[1], 'cursor')
        or ARGV[3] - ARGV[4])
    add('lag', number(math.max(0, math.ceil((ARGV[2] - cursor) / ARGV[4]))))
end

-- What the workers that deliver know of their destinations; each once.
local function tell_down()
    local down = {}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[9], now, '+inf')) do
        local ok, said = pcall(cjson.decode,
            redis.call('GET', ARGV[4] .. name) or '')
        local all = ok and type(said) == 'table' and said.destinations
        for _, one in ipairs(type(all) == 'table' and all or {}) do
            if type(one) == 'table' and one.origin
                and one.breaker ~= 'closed' and not down[one.origin] then
                local list = ARGV[3]
                    .. string.sub(redis.sha1hex(one.origin), 1, 32)
                down[one.origin] = true
                add('down', word(one.origin), number(redis.call('LLEN', list)
                    + (tonumber(one.waiting) or 0)))
            end
        end
    end
end

function tell.shard()
    add('time', number(now), number(tonumber(
        redis.call('HGET', KEYS[1], 'window_seconds') or ARGV[2])),
        number(tonumber(redis.call('GET', KEYS[2]) or nil)))
    tell_queue()
    tell_memory()
    tell_down()
end

tell[ARGV[1]]()
return table.concat(lines, '\n')
