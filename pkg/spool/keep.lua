-- Tells Redis that a consumer still works on entries, so that nobody claims them.
-- KEYS: stream
-- ARGV: group, consumer, ids
-- Answers 1 per entry that is still the consumer's, else 0.
local answers = {}
for i = 3, #ARGV do
  local owner = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #owner == 0 or owner[1][2] ~= ARGV[2] then
    answers[#answers + 1] = 0
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    answers[#answers + 1] = 1
  end
end
return answers
