-- Takes back that entries were delivered: nobody tried to work on them.
-- KEYS: stream
-- ARGV: group, consumer, ids
-- Answers how many entries were still the consumer's.
local ours = 0
for i = 3, #ARGV do
  local owner = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #owner > 0 and owner[1][2] == ARGV[2] then
    local before = math.max(owner[1][4] - 1, 0)
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', before, 'JUSTID')
    ours = ours + 1
  end
end
return ours
