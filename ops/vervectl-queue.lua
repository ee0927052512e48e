#!lua flags=allow-oom
-- Examines some callback jobs in one place, and moves or drops those that
-- match. vervectl calls it until all jobs have been examined. An entry is found
-- and changed in the same run, so that no reporter comes in between. If a
-- reporter has claimed a job, the job is never changed. Jobs are read as JSON,
-- but moved as the bytes that they are, because cjson would change their
-- numbers.
--
-- KEYS[1]  the list `callbacks`, or of the place `waiting` another list
-- KEYS[2]  the zset `due`
-- KEYS[3]  the list `dead`
-- KEYS[4]  the hash `queue`
-- KEYS[5]  and further: of the place `lists`, short lists
-- ARGV[1]  what to do: count, list, show, retry or drop
-- ARGV[2]  the place: waiting (KEYS[1]), lists (KEYS[5]...), due or dead
-- ARGV[3]  the cursor in the reply of the run before; "" at the start
-- ARGV[4]  how many entries to examine
-- ARGV[5]  of `due`: the state that matches, delayed or leased; "" for both
-- ARGV[6]  of `due`: the highest score to examine; "+inf" for all
-- ARGV[7]  the id, ARGV[8] the host, ARGV[9] the outcome; "" for any
-- Reply    a text: "<cursor> <examined> <matched> <left>", the cursor "-" at
--          the end; then, for list and show, lines of printable ASCII
--
-- allow-oom: the queue can be emptied even if Redis is out of memory.
local todo, where, cursor = ARGV[1], ARGV[2], ARGV[3]
local most, state_wanted, upto = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local id_wanted, host_wanted, outcome_wanted = ARGV[7], ARGV[8], ARGV[9]

local LOOK_BACK = 5000 -- entries to search if a list has moved

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local takes = todo == 'retry' or todo == 'drop'
local lines, matched = {}, 0

local function safe(text, allowed)
    return (string.gsub(text, '[^' .. allowed .. ']', function(byte)
        return string.format('\\x%02x', string.byte(byte))
    end))
end

-- One word: without blanks.
local function word(value)
    if type(value) == 'number' then
        return string.format('%.0f', value)
    elseif type(value) ~= 'string' or value == '' then
        return '-'
    end
    return safe(value, '\33-\126')
end

-- An epoch second in RFC 3339 (days to civil: H. Hinnant, "chrono-Compatible
-- Low-Level Date Algorithms", for years from 1970 on).
local function rfc3339(second)
    if type(second) ~= 'number' or second < 0 or second >= 253402300800 then
        return '-'
    end
    local z = math.floor(second / 86400) + 719468
    local era = math.floor(z / 146097)
    local doe = z - era * 146097
    local yoe = math.floor((doe - math.floor(doe / 1460)
        + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
    local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
    local mp = math.floor((5 * doy + 2) / 153)
    local month = mp < 10 and mp + 3 or mp - 9
    local year = yoe + era * 400 + (month <= 2 and 1 or 0)
    local rest = second % 86400
    return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month,
        doy - math.floor((153 * mp + 2) / 5) + 1, math.floor(rest / 3600),
        math.floor(rest / 60) % 60, rest % 60)
end

-- host:port in small letters, and the host without the port.
local function host_of(url)
    local scheme, host = string.match(url, '^(%a+)://([^/?#]*)')
    if not scheme then
        return '-', '-'
    end
    host = string.gsub(string.lower(host), '^.*@', '')
    host = string.gsub(host, ':$', '')
    local name = string.gsub(host, ':%d+$', '')
    if name == host then
        host = host .. (string.lower(scheme) == 'https' and ':443' or ':80')
    end
    return host, name
end

-- The job as a table; nil if a reporter could not read it.
local function read(json)
    local ok, job = pcall(cjson.decode, json)
    if ok and type(job) == 'table' and job.v == 1 and type(job.id) == 'string'
        and type(job.url) == 'string' then
        return job
    end
end

local function describe(entry, job)
    local host = host_of(job.url or '')
    local line = string.format('state=%s job=%s window=%s host=%s attempts=%s '
        .. 'error=%s count=%s up_in_ms=%s url=%s', entry.state, word(job.id),
        rfc3339(job.window), word(host), word(entry.attempts or job.attempts),
        word(job.error), word(job.count),
        entry.score and word(tonumber(entry.score) - now) or '-', word(job.url))
    if todo == 'show' then
        line = line .. '\n    ' .. safe(entry.json, '\32-\126')
    end
    return line
end

-- True if the host is wanted. "*.b.example" stands for all names below it.
local function is_wanted(host, name)
    if string.sub(host_wanted, 1, 2) == '*.' then
        local tail = string.sub(host_wanted, 2)
        return #name > #tail and string.sub(name, -#tail) == tail
    end
    return host_wanted == '' or host == host_wanted or name == host_wanted
end

-- True if the entry is one that the arguments select.
local function matches(entry)
    if state_wanted ~= '' and entry.state ~= state_wanted then
        return false
    elseif id_wanted ~= '' and
        not string.find(entry.json, id_wanted, 1, true) then
        return false -- the usual case: saves decoding the JSON
    end
    local job = read(entry.json)
    if not job then
        -- If such a job is tried again, it only becomes dead again.
        job = {error = 'unreadable'}
        if todo == 'retry' or id_wanted ~= '' or host_wanted ~= '' then
            return false
        end
    end
    local host, name = host_of(job.url or '')
    if (id_wanted ~= '' and job.id ~= id_wanted)
        or (outcome_wanted ~= '' and job.error ~= outcome_wanted)
        or not is_wanted(host, name) then
        return false
    end
    if todo == 'list' or todo == 'show' then
        lines[#lines + 1] = describe(entry, job)
    end
    return true
end

-- The index at which a walk through a list goes on. Entries may have left the
-- list at its head since, which moves the others. anchor is the SHA-1 of the
-- last entry before that index.
local function place(list, skip, anchor)
    local last = skip > 0 and redis.call('LINDEX', list, skip - 1)
    if skip == 0 or (last and redis.sha1hex(last) == anchor) then
        return skip
    end
    local from = math.max(0, skip - LOOK_BACK)
    local passed = redis.call('LRANGE', list, from, skip - 1)
    for i = #passed, 1, -1 do
        if redis.sha1hex(passed[i]) == anchor then
            return from + i
        end
    end
    return from
end

-- An entry of a list. Attempts may stand in front of the JSON.
local function listed(text)
    local attempts, json = string.match(text, '^(%d+)~? (.*)$')
    return {json = json or text, attempts = attempts,
        state = where == 'dead' and 'dead' or 'waiting'}
end

-- Removes the entries at these indexes (from 0) from the list.
local function take_out(list, indexes)
    local mark = 'vervectl:' .. now .. ':' .. time[2]
    for _, index in ipairs(indexes) do
        redis.call('LSET', list, index, mark)
    end
    local near_head = indexes[1] < redis.call('LLEN', list) / 2
    redis.call('LREM', list, near_head and #indexes or -#indexes, mark)
end

-- cursor: "<entries left>:<entries passed>:<SHA-1 of the last entry passed>".
-- Entries that are added during the walk are not examined.
local function walk_list(list)
    local left, skip, anchor = string.match(cursor, '^(%d+):(%d+):(%x*)$')
    left = tonumber(left) or redis.call('LLEN', list)
    skip = place(list, tonumber(skip) or 0, anchor)
    if left == 0 then
        return '-', 0, 0
    end
    local entries = redis.call('LRANGE', list, skip,
        skip + math.min(most, left) - 1)
    local indexes, taken = {}, {}
    local last_kept

    for i, json in ipairs(entries) do
        local match = matches(listed(json))
        matched = matched + (match and 1 or 0)
        if match and takes then
            indexes[#indexes + 1] = skip + i - 1
            taken[#taken + 1] = json
        else
            last_kept = json
        end
    end
    if #taken > 0 then
        redis.call('LLEN', KEYS[1]) -- if it is no list, fails before a change
        take_out(list, indexes)
        if todo == 'retry' then
            redis.call('RPUSH', KEYS[1], unpack(taken))
        end
    end
    left = left - #entries
    if left == 0 or #entries == 0 then
        return '-', #entries, 0
    end
    return string.format('%d:%d:%s', left, skip + #entries - #taken,
        last_kept and redis.sha1hex(last_kept) or anchor or ''), #entries, left
end

local function walk_lists()
    local seen = 0
    for i = 5, #KEYS do
        for _, text in ipairs(redis.call('LRANGE', KEYS[i], 0, -1)) do
            seen = seen + 1
            matched = matched + (matches(listed(text)) and 1 or 0)
        end
    end
    return '-', seen, 0
end

-- The members from the cursor on, with their scores, and the cursor of the next
-- run. A cursor is a score, so members of one score are always in the same run.
local function members_from()
    local from = cursor == '' and '-inf' or '(' .. cursor
    local flat = redis.call('ZRANGEBYSCORE', KEYS[2], from, upto, 'WITHSCORES',
        'LIMIT', 0, most)
    local count = #flat / 2
    if count < most then
        return flat, count, '-'
    end
    local score = flat[#flat]
    while count > 0 and flat[2 * count] == score do
        count = count - 1
    end
    if count == 0 then
        flat = redis.call('ZRANGEBYSCORE', KEYS[2], score, score, 'WITHSCORES')
        count = #flat / 2
    end
    return flat, count, flat[2 * count]
end

-- Takes a job that was dropped out of the numbers of the hash `queue`.
local function uncount(json)
    for field, value in pairs({jobs = 1, bytes = #json}) do
        local before = tonumber(redis.call('HGET', KEYS[4], field)) or 0
        redis.call('HSET', KEYS[4], field,
            string.format('%.0f', math.max(0, before - value)))
    end
end

local function walk_due()
    local flat, count, next = members_from()
    for i = 1, 2 * count, 2 do
        local member, score = flat[i], flat[i + 1]
        local claim, attempts, json =
            string.match(member, '^(%S+) (%d+) (.*)$')
        local entry = {
            json = json or member, attempts = attempts, score = score,
            state = (claim or '-') == '-' and 'delayed' or 'leased'}
        if matches(entry) then
            matched = matched + 1
            if todo == 'drop' and entry.state == 'delayed' then
                redis.call('ZREM', KEYS[2], member)
                uncount(entry.json)
            elseif todo == 'retry' and entry.state == 'delayed'
                and tonumber(score) > now then
                redis.call('ZADD', KEYS[2], 'XX', now, member)
            end
        end
    end
    return next, count, next == '-' and 0
        or redis.call('ZCOUNT', KEYS[2], '(' .. next, upto)
end

local next, seen, left
if where == 'due' then
    next, seen, left = walk_due()
elseif where == 'lists' then
    next, seen, left = walk_lists()
else
    next, seen, left = walk_list(where == 'dead' and KEYS[3] or KEYS[1])
end
table.insert(lines, 1, string.format('%s %d %d %d', next, seen, matched, left))
return table.concat(lines, '\n')
