-- Makes a consumer group, once.
-- KEYS: stream, starts, positions
-- ARGV: group, "0" or "$", milliseconds, then pairs of a start and its position that a
--       reader remembers of the group's earlier life
-- Answers 1 when it made the group.
-- A write that changes nothing: after one Redis does not refuse a script for want of memory
-- (maxmemory); and a new group must be possible then: it may be what frees memory.
redis.call('HDEL', KEYS[3], '')
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
if type(made) == 'table' and made.err then
  if string.find(made.err, 'BUSYGROUP', 1, true) then return 0 end
  return made
end
local prefix = ARGV[1] .. '/'
for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
  if string.sub(field, 1, #prefix) == prefix then redis.call('HDEL', KEYS[3], field) end
end
redis.call('HSET', KEYS[3], prefix .. '@', ARGV[3])
-- What starts sent before is not missing: it was before this group's time ('$'), or
-- it is what lies in the stream, which begins somewhere ('?').
local known = redis.call('HGETALL', KEYS[2])
for i = 1, #known, 2 do
  if #known[i] == 16 then
    local total = string.match(known[i + 1], '^%d+:(%d+):')
    local value = '?'
    if ARGV[2] == '$' then value = total .. ';0;0;0-' .. total .. '-0-0' end
    redis.call('HSET', KEYS[3], prefix .. known[i], value)
  end
end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[3], prefix .. ARGV[i], ARGV[i + 1]) end
return 1
