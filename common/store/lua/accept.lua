-- Counts a batch of ids. The build puts the script together from five parts:
-- this one finds out whether the caller and Redis have the same data. The
-- second finds the window that is on: accept-clock.lua for shard 0,
-- accept-told.lua for the others. The third, accept-room.lua, finds out which
-- callbacks have room. The fourth, accept-<strategy>.lua, counts. The last,
-- accept-end.lua, ends the batch.
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
--       of Redis's memory for them, ids that other shards have counted in the
--       window, then by threes: the index of a request (from 1), the
--       destination of its job, its job without the last brace
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
