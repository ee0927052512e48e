-- Whether Redis would count now, which /readyz asks. Writes nothing over what
-- is there and makes no key, but is refused as any write that takes memory is:
-- where that is full, or the disk is, or this has become a replica.
--
-- KEYS: 1 born
-- Reply: the length of what is there

return redis.call('SETRANGE', KEYS[1], 0, '')
