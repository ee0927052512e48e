-- Lua as Redis 7 runs it: 5.1, with these globals and no module system.
std = "lua51"
read_globals = { "redis", "cjson", "KEYS", "ARGV" }
max_line_length = 80

-- A peer of the benchmark, in nginx.
files["bench/nginx"] = { std = "ngx_lua" }
