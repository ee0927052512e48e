-- Notes which claimed jobs have an attempt under way, by the mark in the token
-- of their claim: see job_queue.h. A job that was claimed again since is left
-- alone. A second run with the same arguments changes nothing.
--
-- KEYS: 1 due
-- ARGV: the members of the jobs, without that mark
-- Reply: how many were noted
--
-- ZREM comes before ZADD, which needs memory: see jobs-claim.lua.
local noted = 0

-- A right that was withdrawn since the connect must not stop it halfway.
if not redis.acl_check_cmd('ZADD', KEYS[1], '0', '') then
    return redis.error_reply('NOPERM +zadd is needed')
end

for _, member in ipairs(ARGV) do
    local score = redis.call('ZSCORE', KEYS[1], member)
    if score then
        redis.call('ZREM', KEYS[1], member)
        redis.call('ZADD', KEYS[1], score,
            (string.gsub(member, '^(%x+)[.~]', '%1!')))
        noted = noted + 1
    end
end
return noted
