-- Whether Redis would count now, which /readyz asks. A write that nobody reads,
-- refused as any is that takes memory: where that is full, or the disk is, or
-- this has become a replica. And replicas have to confirm it.
--
-- KEYS: 1 ready
-- Reply: OK

return redis.call('SET', KEYS[1], '1', 'EX', 1)
