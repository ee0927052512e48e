-- Tells the time and the window that is on. Read-only. The build puts
-- window.lua, which makes the reply, in front of this.
--
-- KEYS, ARGV: those of window.lua
-- Reply: {} if Redis's data was reset (see window.lua); else
--        {ms since the Unix epoch, window on, born in seconds}

return reply
