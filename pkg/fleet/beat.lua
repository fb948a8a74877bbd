-- Take a beat at the time of Redis, and forget nodes that were silent for long.
-- KEYS: the sorted set of nodes, the node's hash. ARGV: node, beat, MAC,
-- milliseconds until it is forgotten. Returns the time in ms.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local kind = redis.call('TYPE', KEYS[2]).ok
if kind ~= 'none' and kind ~= 'hash' then
  redis.call('DEL', KEYS[2])
end
kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and kind ~= 'zset' then
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[2], 'b', ARGV[2], 'm', ARGV[3], 't', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[4]))
return string.format('%.0f', now)
