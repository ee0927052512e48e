-- Seals the windows that have ended, so that no id can enter them any more,
-- and replies their counts. The build puts window.lua and the parts that it
-- names in front of this. Shard 0 is sealed first. The others run
-- window-seal-told.lua with the window that it replied, so that no window is
-- closed that its clock says is on.
--
-- KEYS: 1 sealed, 2 born, 3 open, 4 lost, 5 recorded, then by fours for
--       successive windows: count:<window>, whole:<strategy>:<window>,
--       sets:<window>, and seen:<window>:s, to which a set's number is added
-- ARGV: 1 window_seconds, 2 born, as schema.lua replied it,
--       3 the first of those windows, 4 see window-told.lua
-- Reply: {} if Redis's data was reset, and nothing was done (see window.lua);
--        else {ms since the Unix epoch, window on, count...}.
--        There is a count for each window that has ended, up to the first that
--        has not. It is "-" if the window had a count that is gone, or if Redis
--        lost ids of the window: see has_forgotten, and marks-confirm.lua.
--        In the first case the window is in `lost` from now on, because no
--        later run can tell.

-- The most canaries or sets of a window that are looked at, so that Redis is
-- held up for some 20 ms at most. Of more, a sample is looked at.
local MOST_LOOKS = 10000

-- The most keys of one EXISTS; unpack() has a limit of about 8,000.
local MOST_KEYS = 1000

-- True if the canaries 2 to `last` of a window exist (see accept-setnx.lua).
local function has_canaries(whole, last)
    local step, names = math.ceil(last / MOST_LOOKS), {}
    for n = 2, last, step do
        names[#names + 1] = whole .. ':' .. n
        if #names == MOST_KEYS or n + step > last then
            if redis.call('EXISTS', unpack(names)) < #names then
                return false
            end
            names = {}
        end
    end
    return true
end

-- Sets some of which may never expire: see has_members.
local endless = {}

-- True if a window's sets have all of its ids (see accept-set.lua). A set that
-- was forgotten lacks ids. Besides, once all sets of a window have been made, a
-- set that was forgotten does not exist, or was made anew and never expires.
local function has_members(count, stem, sets, made)
    local step, members, names = math.ceil(sets / MOST_LOOKS), 0, {}
    for n = 0, sets - 1, step do
        names[#names + 1] = stem .. n
        if step == 1 then
            members = members + redis.call('SCARD', stem .. n)
        elseif made == sets and redis.call('PTTL', stem .. n) < 0 then
            return false
        end
    end
    if step == 1 and members < count then
        endless[#endless + 1] = names
        return false
    end
    return true
end

-- True if Redis has forgotten ids of a window too early, so that they may have
-- been counted twice: its clock was ahead for a moment.
--
-- Ids expire no earlier than `whole`, so they should be there while it is. If
-- it is not, ids may have expired in time, because nobody sealed the window
-- for as long as a window lasts. Or it was lost with them; then no id was
-- counted since (see accept.lua), and the count is right. Nor was any id
-- counted since the number of sets is gone.
local function has_forgotten(count, whole, hash, stem)
    local last_canary = redis.call('GET', whole)
    if not last_canary then
        return false
    end
    local known = redis.call('HMGET', hash, 'sets', 'made')
    local sets = tonumber(known[1]) or 0
    return not has_canaries(whole, tonumber(last_canary) or 1) or sets > 0
        and not has_members(tonumber(count) or 0, stem, sets,
            tonumber(known[2]))
end

local window, last = tonumber(ARGV[3]), nil
local recorded = tonumber(redis.call('GET', KEYS[5]) or 0)
local forgotten = {}
for i = 6, #KEYS, 4 do
    if window >= on then
        break
    end
    local name = string.format('%.0f', window)
    local count = redis.call('GET', KEYS[i])
    if redis.call('ZSCORE', KEYS[4], name) then
        count = '-'
    elseif count and has_forgotten(count, unpack(KEYS, i + 1, i + 3)) then
        count = '-'
        forgotten[#forgotten + 1] = window > recorded and name or nil
    end
    reply[#reply + 1] = count
        or redis.call('ZSCORE', KEYS[3], name) and '-' or '0'
    last = window
    window = window + length
end

-- All commands that can fail come before the first write.
if last and (not sealed or last > sealed) then
    redis.call('SET', KEYS[1], last)
end
if last then
    -- Windows before the first of them are recorded, or past the retention.
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[3])
end
for _, name in ipairs(forgotten) do
    redis.call('ZADD', KEYS[4], name, name)
end
for _, names in ipairs(endless) do
    for _, name in ipairs(names) do
        redis.call('EXPIRE', name, 2 * length)
    end
end
return reply
