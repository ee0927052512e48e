#!lua flags=no-writes
-- Reads which hosts must not be called. `vervectl block` writes them.
--
-- KEYS: 1 blocked
-- Reply: pairs: a pattern of hosts, and keep or drop for their jobs
return redis.call('HGETALL', KEYS[1])
