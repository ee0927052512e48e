-- The service in nginx, as a good Lua programmer would write it: SET NX EX and
-- INCR in one pipeline, on kept connections. It has no callbacks, and the
-- window is nginx's own clock's. So it is a little cheaper than the contract
-- allows.

local redis = require "nginx.redis"

local WINDOW_S = 60
local TTL_S = 2 * WINDOW_S -- an id is remembered so long
local TIMEOUT_MS = 250     -- of one round trip to Redis
local IDLE_MS = 60000      -- a connection to Redis is kept so long
local POOL = 64            -- idle connections that each nginx process keeps
local MOST = "9223372036854775807"  -- digits of the largest id
local LEAST = "9223372036854775808" -- and of the smallest

-- The id in its only spelling, as text, because a number of Lua has 53 bits;
-- nil if it is no 64-bit integer.
local function read_id(text)
    local sign, digits = (text or ""):match("^([+-]?)0*(%d+)$")
    local limit = sign == "-" and LEAST or MOST

    if not digits or #digits > #limit
        or #digits == #limit and digits > limit then
        return nil
    end
    return sign == "-" and digits ~= "0" and "-" .. digits or digits
end

local function answer(status, body)
    ngx.status = status
    ngx.header["Content-Length"] = #body
    ngx.print(body)
end

-- Counts before it is known whether the id is new, so that one round trip is
-- enough for a new id; for the others the number is taken back. False if Redis
-- failed.
local function count(socket, window, id)
    local client = redis:new()
    local counter = "peer:count:" .. window
    local replies

    client:set_timeout(TIMEOUT_MS)
    if not client:connect(socket) then
        return false
    end
    client:init_pipeline(2)
    client:set("peer:seen:" .. window .. ":" .. id, 1, "NX", "EX", TTL_S)
    client:incr(counter)
    replies = client:commit_pipeline()
    if not replies or type(replies[1]) == "table"
        or type(replies[2]) ~= "number"
        or replies[1] == ngx.null and not client:decr(counter) then
        client:close()
        return false
    end
    client:set_keepalive(IDLE_MS, POOL)
    return true
end

return function(socket)
    local id = read_id(ngx.var.arg_id)
    local window = ngx.time() - ngx.time() % WINDOW_S

    if not id then
        return answer(400, "failed")
    end
    if not count(socket, window, id) then
        return answer(503, "failed")
    end
    ngx.header["Verve-Window"] = os.date("!%Y-%m-%dT%H:%M:%SZ", window)
    return answer(200, "ok")
end
