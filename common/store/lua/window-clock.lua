-- The second part of window-look.lua and window-seal.lua: see window.lua.
local on = time[1] - time[1] % length
