-- The third part of window-look.lua, window-seal.lua and window-seal-told.lua:
-- see window.lua.
if sealed and on <= sealed then
    on = sealed - sealed % length + length
end
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {now_ms, on}
