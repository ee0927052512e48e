-- The second part of window-seal-told.lua: see window.lua. The caller has
-- sealed shard 0 before, and tells the window that is on there.
--
-- ARGV: 4 that window
local on = tonumber(ARGV[4])
