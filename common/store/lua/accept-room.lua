-- The third part of accept-<strategy>.lua: is the window as it should be, and
-- which jobs have room. See accept.lua.

local count = tonumber(before or 0)
if before and (not string.find(before, '^[1-9]%d*$') and before ~= '0'
    or count >= 2 ^ 53) then
    -- INCRBY accepts fewer texts as a number than Lua does.
    return redis.error_reply('ERR ' .. KEYS[3] .. ' is not a count')
end

local forgotten, previous = not whole, nil -- the window that counted before
if not before then
    forgotten = whole or call('ZSCORE', KEYS[5], window)
    previous = tonumber(call('ZREVRANGEBYSCORE', KEYS[5], '(' .. window,
        '-inf', 'LIMIT', 0, 1)[1])
end
if forgotten then
    call('SET', KEYS[1], on)
    return {0, on + length, left_ms + length * 1000}
end

-- What the fourth part sets: how many ids the window has now, and an error
-- reply if it had to stop halfway.
local unique, failed = count, nil
local last = #KEYS -- KEYS[last] is the strategy's last key

-- Which requests have a job, which of the jobs have room in the queue, the
-- lists that get jobs, and how to queue the job of request i, whose count is
-- then `unique`. All are nil if no request has a job. all_jobs and all_bytes
-- are the new values of the hash `queue`, now_ms is the time.
local job, refused, lists, queue, all_jobs, all_bytes, now_ms
local queued = 0
local jobs_at = 9 + (ARGV[8] or 0)
if #ARGV >= jobs_at then
    last = #KEYS - 6 - (#ARGV - jobs_at - 2) / 3
    job, refused, lists = {}, {}, {}
    local counted = call('HMGET', KEYS[last + 3], 'jobs', 'bytes')
    local others = call('LLEN', KEYS[last + 1])
    all_jobs = math.max(tonumber(counted[1]) or 0,
        call('ZCARD', KEYS[last + 2]))
    all_bytes = tonumber(counted[2]) or 0
    local room = tonumber(ARGV[jobs_at]) - all_jobs - others
    -- What Redis needs beside the text: 150 bytes a job, 600 a destination. A
    -- job of the list `callbacks` is taken for one of 450 bytes.
    local memory = tonumber(ARGV[jobs_at + 1]) - all_bytes - all_jobs * 150
        - others * 450 - 600 * (call('ZCARD', KEYS[last + 4])
            + call('ZCARD', KEYS[last + 5]))
    local list_of = {} -- of each request with a job that has room
    for n = 1, #KEYS - last - 6 do
        local at = jobs_at + 3 * n
        local i, key = tonumber(ARGV[at]), KEYS[last + 6 + n]
        local list = lists[key]
        memory = memory - #ARGV[at + 2] - 220 - (list and 0 or 600)
        if queued == n - 1 and n <= room and memory >= 0 then
            if not list then
                call('LLEN', key)
                list = {origin = ARGV[at + 1]}
                list.turns = call('ZSCORE', KEYS[last + 6], list.origin)
                    and KEYS[last + 4] or KEYS[last + 5]
                lists[key] = list
            end
            job[i], list_of[i] = ARGV[at + 2], list
            queued = n
        else
            refused[i] = true
        end
    end
    now_ms = now * 1000 + math.floor(time[2] / 1000)
    -- What all jobs of the batch have in common. Lua writes a number with up to
    -- 14 digits, and now_ms has 13.
    local stem = ',"window":' .. window .. ',"at":' .. now_ms .. ',"count":'
    local elsewhere = tonumber(ARGV[jobs_at + 2])
    queue = function(i)
        local text = string.format('%s%s%.0f}', job[i], stem,
            unique + elsewhere)
        local list = list_of[i]
        list[#list + 1] = text
        all_jobs, all_bytes = all_jobs + 1, all_bytes + #text
    end
end

-- How long the key of an id lives: two windows; if the clock stepped back, as
-- long as this window lasts, and one window more. It is a text, so that Redis
-- need not format it for each id.
local ttl = ARGV[2]
if left_ms > length * 1000 then
    ttl = tostring(math.ceil(left_ms / 1000) + length)
end
