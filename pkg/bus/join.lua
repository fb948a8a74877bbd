-- Takes a hand-over at KEYS[1], once. What lies there is "1" and the sealed keys, or
-- "0" and who took them. ARGV[1] says who asks, ARGV[2] for how many milliseconds it
-- is remembered that the keys were taken.
-- Returns what lay there, or false.
local there = redis.call('GET', KEYS[1])
if there and string.sub(there, 1, 1) == '1' then
  redis.call('SET', KEYS[1], '0' .. ARGV[1], 'PX', ARGV[2])
end
return there
