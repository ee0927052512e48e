-- Tells the time and the window that is on. Read-only. The build puts
-- window.lua, which makes the reply, in front of this.
--
-- KEYS: 1 sealed, 2 born, 3 lost
-- ARGV: those of window.lua
-- Reply: {} if Redis's data was reset (see window.lua); else
--        {ms since the Unix epoch, window on, born in seconds, first window in
--        `lost` (0: none)}

reply[4] = tonumber(redis.call('ZRANGE', KEYS[3], 0, 0)[1]) or 0
return reply
