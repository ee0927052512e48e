-- Seals the windows that have ended, so that no id can enter them any more,
-- and replies their counts. The build puts window.lua in front of this.
--
-- KEYS: 1 sealed, 2 born, 3 open, 4 lost, 5... count:<window> of successive windows
-- ARGV: 1 window_seconds, 2 born, as schema.lua replied it,
--       3 the first of those windows
-- Reply: {} if Redis's data was reset, and nothing was done (see window.lua);
--        else {ms since the Unix epoch, window on, born in seconds, count...}.
--        There is a count for each window that has ended, up to the first that
--        has not. It is "-" if Redis lost ids of the window (see
--        marks-confirm.lua), or the window had a count that is gone.

local window, last = tonumber(ARGV[3]), nil
for i = 5, #KEYS do
    if window >= on then
        break
    end
    local name = string.format('%.0f', window)
    local count = redis.call('GET', KEYS[i])
        or redis.call('ZSCORE', KEYS[3], name) and '-' or '0'
    reply[#reply + 1] = redis.call('ZSCORE', KEYS[4], name) and '-' or count
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
return reply
