-- The first part of three: may the batch be counted, and which of its callbacks
-- have room. The second part, accept-<strategy>.lua, counts. The third part,
-- accept-end.lua, ends the batch. The build puts them together.
--
-- KEYS: 1 sealed, 2 born, 3 count:<window>, 4 whole:<strategy>:<window>,
--       5 open, 6 marks, 7... those of the strategy, and if there are jobs,
--       behind them: callbacks, due, queue, destinations, strangers, proven,
--       and for each job the list of its destination
-- ARGV: 1 window, 2 seconds that an id lives: two windows, 3 seconds that the
--       count lives, 4 born, as schema.lua replied it, 5 the responder's name,
--       6 its mark after the last batch that was confirmed, "" if there was
--       none, 7 its mark for this batch, 8 how many arguments the strategy has
--       (there is no eighth if it has none and there are no jobs), 9... those,
--       and if there are jobs, behind them: most jobs in the queue, most bytes
--       of Redis's memory for them, then by threes: the index of a request
--       (from 1), the destination of its job, its job without the last brace
-- Reply: {0, window on, ms left, ...} if nothing was done: another window is
--        on, or the strategy replies so and may add values
--        {2} if nothing was done: Redis's data was reset, and schema.lua has to
--        be run first
--        {3} if nothing was done: Redis has lost batches of this responder,
--        and marks-confirm.lua has to be run first
--        {1, ms left, jobs queued, added} if a batch with jobs was counted; of
--        the requests with a job, the first `jobs queued` were counted, and the
--        others were not; `added` is by how much the count grew, at most 2047
--        ms left x 2048 + added, without a table, if a batch without jobs was
--        counted
--
-- A batch of one id costs nearly as much as one of ten. Therefore the keys that
-- every batch reads are read by one command, nothing is formatted that is not
-- used, and no function is made but for jobs: each variable that a function
-- shares is an object that Lua has to make and to collect. No text is made a
-- number twice, and no number a text if the text is there: both are as dear as
-- to find a key.
--
-- Everything that can fail is checked before the first write, so that no id is
-- ever seen but not counted, or counted without its job. If Redis is out of
-- memory, it refuses the first write, and no later one.
--
-- A mark is "<sequence number of the batch> <its window>". The responder, which
-- remembers what it has confirmed to clients, finds by it that Redis lost data:
-- the mark is then older than the last batch that was confirmed. If a reply was
-- lost, or too few replicas had the batch, the mark is newer, which is fine.
--
-- `open` holds the windows that count something and are not recorded yet. If
-- the count of such a window has expired or was deleted, it is not zero but
-- lost.
--
-- `whole` exists from a window's first id on, until the first of its ids may
-- expire. If Redis's clock jumps far ahead and back, ids may have expired while
-- the count survives, or the count may have expired as well. Such a window
-- takes no more ids: it is sealed, and the next window is on. The same is done
-- if another strategy counted the window's first ids. Redis need not have
-- deleted all expired keys at once while its clock was ahead; therefore the
-- first id of a window seals the window that counted before it.

local call = redis.call
local window, length = ARGV[1], ARGV[2] / 2

-- MGET replies nil for a key of a wrong type; GET, which is run only for the
-- few batches that find no such key, replies an error.
local values = call('MGET', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local sealed, born, before = values[1], values[2], values[3]
local whole = values[4]
sealed = tonumber(sealed or call('GET', KEYS[1]))
before = before or call('GET', KEYS[3])
if born ~= ARGV[4] then
    return {2}
end

local marked, confirmed, mark = call('HGET', KEYS[6], ARGV[5]), ARGV[6], ARGV[7]
if marked ~= confirmed and (marked or confirmed ~= '') then
    local found = tonumber(string.match(marked or '', '^%d+') or -1)
    if found < tonumber(string.match(confirmed, '^%d+') or -1) then
        return {3}
    end
    if found > tonumber(string.match(mark, '^%d+')) then
        mark = marked -- this batch was delayed, and a later one was faster
    end
end

local time = call('TIME')
local now = tonumber(time[1])
local on = now - now % length
if sealed and on <= sealed then
    -- The clock stepped back, or the sealed window had another length.
    on = sealed - sealed % length + length
end
local left_ms = (on + length - now) * 1000 - math.floor(time[2] / 1000)
if on ~= tonumber(window) then
    return {0, on, left_ms}
end

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

-- What the second part sets: how many ids the window has now, and an error
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
    last = #KEYS - 6 - (#ARGV - jobs_at - 1) / 3
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
        local at = jobs_at + 3 * n - 1
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
    queue = function(i)
        local text = string.format('%s%s%.0f}', job[i], stem, unique)
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
