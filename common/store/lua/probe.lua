-- Finds out for /readyz whether Redis would count now, by a write that nobody
-- reads. Redis refuses it for the same reasons as the writes of a batch: it is
-- out of memory, its disk is full, or it has become a replica. It also has to
-- reach redis.wait_replicas replicas.
--
-- KEYS: 1 ready
-- ARGV: none
-- Reply: OK

return redis.call('SET', KEYS[1], '1', 'EX', 1)
