-- Finds out what the user of redis.url may not do, before a script has to stop
-- halfway because of it. Changes nothing.
--
-- KEYS: none, because Redis would refuse the whole script if the user may not
--       use one of them
-- ARGV: 1 n, how many keys follow, 2... those keys, samples of ours,
--       n + 2... commands that our scripts run, "GET" or "XINFO|STREAM"; a
--       command may be there several times
-- Reply: OK, or an error that names what is missing, as rules of an ACL
--
-- Rights may depend on the key: a command is missing if it may be run with none
-- of the keys. A key is missing if none of the commands in `keyed`, of which
-- every program needs some, may use it.

if not redis.acl_check_cmd then
    return redis.error_reply('ERR verve needs Redis 7.0 or later, or Valkey')
end

local keyed = {'EXISTS', 'HSET', 'SET', 'XADD'}

-- An unknown command, which may have been renamed, raises an error. So does a
-- wrong number of arguments, but only since Redis 8.0.2 (as Debian has it):
-- before that, Redis looks for keys among the arguments without counting them,
-- and so many as here at first are enough for every command.
local function may_run(name, key)
    local command, sub = string.match(name, '^([^|]+)|?(.*)$')
    local words = {command, key, key, key, key, key}
    if sub ~= '' then
        table.insert(words, 2, sub)
    end
    local least = sub ~= '' and 2 or 1
    for count = #words, least, -1 do
        local known, may = pcall(redis.acl_check_cmd, unpack(words, 1, count))
        if known then
            return may
        end
    end
end

local function may_use(key)
    for _, name in ipairs(keyed) do
        if may_run(name, key) then
            return true
        end
    end
end

local last_key = 1 + ARGV[1]
local looked_at, missing = {}, {}
for i = last_key + 1, #ARGV do
    local name, may = ARGV[i], false
    if not looked_at[name] then
        for k = 2, last_key do
            may = may or may_run(name, ARGV[k])
        end
        looked_at[name] = true
        if not may then
            missing[#missing + 1] = '+' .. string.lower(name)
        end
    end
end
local of = ' on keys like ' .. ARGV[2]
if #missing == 0 then
    of = ''
    for k = 2, last_key do
        if not may_use(ARGV[k]) then
            missing[#missing + 1] = '~' .. ARGV[k]
        end
    end
end
if #missing > 0 then
    table.sort(missing)
    return redis.error_reply('NORIGHTS the user of redis.url lacks '
        .. table.concat(missing, ' ') .. of
        .. ' (by its ACL, or because of a renamed command): see redis.acl')
end
return redis.status_reply('OK')
