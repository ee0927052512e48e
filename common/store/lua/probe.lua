-- Finds out for /readyz whether Redis would count now, by a write that nobody
-- reads. Redis refuses it for the same reasons as the writes of a batch: it is
-- out of memory, its disk is full, or it has become a replica. It also has to
-- reach redis.wait_replicas replicas. Then looks at what an operator wants to
-- know as well.
--
-- KEYS: 1 ready, 2 queue, 3 callbacks, 4 due, 5 destinations, 6 strangers,
--       7 reporters, 8 lost
-- ARGV: none
-- Reply: {callbacks in the queue, bytes that they take, workers that deliver
--        callbacks, windows that will be gaps}
--
-- The numbers of the queue are those of accept.lua, which explains them.

local call = redis.call
call('SET', KEYS[1], '1', 'EX', 1)

local queue = call('HMGET', KEYS[2], 'jobs', 'bytes')
local others = call('LLEN', KEYS[3])
local jobs = math.max(tonumber(queue[1]) or 0, call('ZCARD', KEYS[4]))
local bytes = (tonumber(queue[2]) or 0) + jobs * 150 + others * 450
    + 600 * (call('ZCARD', KEYS[5]) + call('ZCARD', KEYS[6]))

local time = call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
-- Not ZCOUNT, which a responder has needed no right for so far.
local reporters = call('ZREVRANGEBYSCORE', KEYS[7], '+inf', now_ms)
return {jobs + others, bytes, #reporters, call('ZCARD', KEYS[8])}
