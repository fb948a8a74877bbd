-- Takes, renews or gives back a lease.
-- KEYS: the lease. ARGV: holder, the token that it knows or 0, milliseconds to hold;
-- 0 gives back. Answers the token, or 0 when the lease is another's.
--
-- The hash outlives the lease by a month, so that tokens grow from the last one. They
-- are at least the time in microseconds: so they grow over its loss too.
-- It begins with a write that changes nothing: after one Redis does not refuse a script
-- for want of memory (maxmemory), and who frees memory may need a lease for it.
redis.call('HDEL', KEYS[1], '')
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(clock / 1000)
local stored = redis.call('HMGET', KEYS[1], 'holder', 'token', 'until')
local holder, token, till = stored[1], tonumber(stored[2] or '') or 0, tonumber(stored[3] or '') or 0
local known, ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
local mine = holder == ARGV[1] and token == known

if ttl == 0 then
  if mine or (known == 0 and holder == ARGV[1]) then
    redis.call('HDEL', KEYS[1], 'holder', 'until')
  end
  return 0
end
if not mine then
  -- Who has the holder's name and knows no token is its next life, or lost an answer.
  local next_life = holder == ARGV[1] and known == 0
  if holder and now < till and not next_life then return 0 end
  token = math.max(token + 1, known + 1, clock)
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'token', string.format('%.0f', token), 'until', string.format('%.0f', now + ttl))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + 30 * 86400000))
return token
