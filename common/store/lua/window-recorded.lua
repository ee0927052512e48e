-- Tells a shard which windows are recorded: see window-append.lua.
--
-- KEYS: 1 recorded, 2 lost
-- ARGV: 1 the last window that is recorded, 2... windows that are recorded as
--       gaps
-- Reply: 1
--
-- The reporter may end before it has run this, or another may be faster and be
-- ahead. Whichever reporter looks next finds that `recorded` is not the last
-- record, and runs this with what the records say. Until then a window that is
-- recorded may be written into `lost`. If its record is a gap, that is told,
-- and is removed here. Else marks-settle.lua finds out that the record has too
-- low a count, as if the loss had been written later.

redis.call('SET', KEYS[1], ARGV[1])
for i = 2, #ARGV do
    redis.call('ZREM', KEYS[2], ARGV[i])
end
return 1
