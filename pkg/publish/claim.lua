-- Store contents of a large publication for good, and claim them, so that no
-- publication that is set meanwhile lets them go.
-- KEYS: the set of named hashes, the set of claimed ones, contents.
-- ARGV: how long claims hold in ms, then one value per content.
for i = 1, 2 do
  local t = redis.call('TYPE', KEYS[i]).ok
  if t ~= 'none' and t ~= 'set' then
    redis.call('DEL', KEYS[i])
  end
end
for i = 3, #KEYS do
  local hash = string.sub(KEYS[i], -64)
  redis.call('SET', KEYS[i], ARGV[i - 1])
  redis.call('SADD', KEYS[1], hash)
  redis.call('SADD', KEYS[2], hash)
end
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return #KEYS - 2
