-- Move the watermark from one value to another. KEYS: watermark, the mark that
-- the caller's pass left at its start. ARGV: the stored value that the caller saw
-- ('' for none), the new one, the mark.
-- Without the mark Redis lost, during the pass, what the pass has written.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[3] then
  return 0
end
local cur = redis.call('GET', KEYS[1]) or ''
if cur ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
