-- Move the watermark from one value to another. KEYS: watermark. ARGV: the
-- stored value that the caller saw ('' for none), the new one.
local cur = redis.call('GET', KEYS[1]) or ''
if cur ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
