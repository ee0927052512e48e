#!lua flags=no-writes
-- Replies one part of `vervectl status`.
--
-- ARGV[1] = "now"       KEYS: sealed, meta, callbacks, due, dead, reporters,
--                       destinations, strangers
--                       ARGV[2]: seconds of a window, if meta has no value
--                       ARGV[3]: the beginning of the keys of the
--                       destinations' lists
--                       Reply: lines: "<window on> <ms left> <now, ms>
--                       <seconds of a window> <callbacks> <due> <dead>", then
--                       the names of the reporters that publish
-- ARGV[1] = "lists"     KEYS: destinations, strangers; ARGV[2]: as ARGV[3]
--                       before
--                       ARGV[3]: how many destinations, those with the most
--                       jobs; "" for all
--                       Reply: lines: "<jobs> <hash> <destination>"
-- ARGV[1] = "windows"   KEYS: windows; ARGV[2]: how many, the newest first
--                       Reply: lines: "<start> <count> <note>"
-- ARGV[1] = "blocked"   KEYS: blocked
--                       Reply: lines: "<pattern of hosts> jobs=<keep or drop>"
-- ARGV[1] = "reporter"  KEYS: reporter:<name>
--                       Reply: lines: "reporter <fields>", and
--                       "destination <fields>" for each; "" if it has ended
--
-- All replies are one text of printable ASCII. The keys of the lists are not
-- declared; all have the hash tag of the declared keys.

local function word(value)
    if type(value) == 'number' then
        return string.format('%.0f', value)
    elseif type(value) ~= 'string' or value == '' then
        return '-'
    end
    return (string.gsub(value, '[^\33-\126]', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

-- " name=value" for each of the names.
local function pairs_of(values, names)
    local text = ''
    for name in string.gmatch(names, '%S+') do
        text = text .. ' ' .. name .. '=' .. word(values[name])
    end
    return text
end

-- The lists of the destinations with jobs, the longest first, and the number
-- of all jobs in them.
local function lists_of(destinations, strangers, stem)
    local lists, all = {}, 0
    for _, turns in ipairs({destinations, strangers}) do
        for _, origin in ipairs(redis.call('ZRANGE', turns, 0, -1)) do
            local hash = string.sub(redis.sha1hex(origin), 1, 32)
            local jobs = redis.call('LLEN', stem .. hash)
            all = all + jobs
            if jobs > 0 then
                lists[#lists + 1] = {jobs = jobs, hash = hash, origin = origin}
            end
        end
    end
    table.sort(lists, function(a, b)
        return a.jobs > b.jobs or a.jobs == b.jobs and a.origin < b.origin
    end)
    return lists, all
end

local tell = {}

function tell.now()
    local time = redis.call('TIME')
    local length = tonumber(redis.call('HGET', KEYS[2], 'window_seconds')
        or ARGV[2])
    local sealed = tonumber(redis.call('GET', KEYS[1]) or nil)
    local on = time[1] - time[1] % length
    if sealed and on <= sealed then
        on = sealed + length
    end
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local _, listed = lists_of(KEYS[7], KEYS[8], ARGV[3])
    local lines = {string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f', on,
        (on + length) * 1000 - now, now, length,
        listed + redis.call('LLEN', KEYS[3]), redis.call('ZCARD', KEYS[4]),
        redis.call('LLEN', KEYS[5]))}
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], now, '+inf')) do
        lines[#lines + 1] = word(name)
    end
    return lines
end

function tell.lists()
    local lines = {}
    for i, list in ipairs((lists_of(KEYS[1], KEYS[2], ARGV[2]))) do
        if i > (tonumber(ARGV[3]) or i) then
            break
        end
        lines[i] = string.format('%.0f %s %s', list.jobs, list.hash,
            word(list.origin))
    end
    return lines
end

function tell.windows()
    local lines = {}
    for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT',
        ARGV[2])) do
        local fields = {}
        for i = 1, #entry[2], 2 do
            fields[entry[2][i]] = entry[2][i + 1]
        end
        local gap = fields.gap == '1'
        lines[#lines + 1] = string.match(entry[1], '^%d+') .. ' '
            .. (gap and 'unknown gap' or word(fields.count)
                .. (fields.late == '1' and ' late' or ''))
    end
    return lines
end

function tell.blocked()
    local lines = {}
    local flat = redis.call('HGETALL', KEYS[1])
    for i = 1, #flat, 2 do
        lines[#lines + 1] = word(flat[i]) .. ' jobs=' .. word(flat[i + 1])
    end
    table.sort(lines)
    return lines
end

function tell.reporter()
    local ok, said = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '')
    if not ok or type(said) ~= 'table' or type(said.counts) ~= 'table'
        or type(said.destinations) ~= 'table' then
        return {}
    end
    local lines = {'reporter ' .. word(said.name)
        .. pairs_of(said, 'version started waiting under_way')
        .. pairs_of(said.counts,
            'delivered retried dead returned stale dropped unreadable '
            .. 'blocked')}
    for _, destination in ipairs(said.destinations) do
        if type(destination) == 'table' then
            lines[#lines + 1] = 'destination ' .. word(destination.origin)
                .. ' proven=' .. (destination.proven and 'yes' or 'no')
                .. pairs_of(destination, 'breaker waiting under_way limit '
                    .. 'blocked_ms took_ms') .. ' reporter=' .. word(said.name)
        end
    end
    return lines
end

return table.concat(tell[ARGV[1]](), '\n')
