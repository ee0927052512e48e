-- Tells the time and the window that is on. Read-only. The build puts
-- window.lua and the parts that it names, which make the reply, in front of
-- this. Of shards after the first, the window that is on has no meaning.
--
-- KEYS: 1 sealed, 2 born, 3 lost, 4 recorded
-- ARGV: those of window.lua
-- Reply: {} if Redis's data was reset (see window.lua); else
--        {ms since the Unix epoch, window on, first window in `lost` (0: none),
--        last window that is known to be recorded (0: none)}

reply[3] = tonumber(redis.call('ZRANGE', KEYS[3], 0, 0)[1]) or 0
reply[4] = tonumber(redis.call('GET', KEYS[4]) or 0)
return reply
