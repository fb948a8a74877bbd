-- Store contents. One that is there keeps its expiry, or the lack of one; a new
-- one expires unless a root comes to name it.
-- KEYS: contents. ARGV: expiry in ms, then one value per key.
for i = 1, #KEYS do
  if not redis.call('SET', KEYS[i], ARGV[i + 1], 'XX', 'KEEPTTL') then
    redis.call('SET', KEYS[i], ARGV[i + 1], 'PX', ARGV[1])
  end
end
return #KEYS
