#!lua flags=no-writes
-- Reads the records that the status page shows. Read-only. A script of its own,
-- because a script has the keys of one hash slot.
--
-- KEYS: 1 windows
-- ARGV: 1 how many
-- Reply: {{start, count, late, gap}, ...} the newest windows first; "" for what
--        the record does not have

local windows = {}
for i, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-',
    'COUNT', ARGV[1])) do
    local fields = {}
    for j = 1, #entry[2], 2 do
        fields[entry[2][j]] = entry[2][j + 1]
    end
    windows[i] = {string.match(entry[1], '^%d+'), fields.count or '',
        fields.late or '', fields.gap or ''}
end
return windows
