-- Notes that a group has a reader.
-- KEYS: positions
-- ARGV: group, milliseconds
-- A write that changes nothing: after one Redis does not refuse a script for want of memory
-- (maxmemory), and this one must run then: who reads is who frees memory.
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], ARGV[1] .. '/@', ARGV[2])
return 1
