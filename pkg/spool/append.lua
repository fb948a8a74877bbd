-- Appends one frame to a shard's stream, once.
-- KEYS: stream, starts
-- ARGV: start, sequence, sequence that must have come before or 0, records with this
--       batch, records in it, budget in bytes, frame
-- Answers {result, bytes in the stream}; result: 1 appended, 2 was there already,
-- 0 the budget is used, -1 the batch before is missing.
--
-- An entry's id is <milliseconds>-<bytes that went in before>: so the bytes between
-- any two ids are known without reading what lies between them.
local seq, after, size = tonumber(ARGV[2]), tonumber(ARGV[3]), #ARGV[7] + 128
local known = redis.call('HMGET', KEYS[2], 'in', 'out', 'ms', ARGV[1])
local went_in, out = tonumber(known[1]), tonumber(known[2]) or 0
local ms = tonumber(known[3]) or 0
local time = redis.call('TIME')
ms = math.max(ms, tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))

local len = redis.call('XLEN', KEYS[1])
if went_in == nil then
  -- The hash was lost. Go on where the stream ends, if there is one.
  went_in = 0
  if len > 0 then
    local id = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
    local last, offset = string.match(id, '^(%d+)-(%d+)$')
    went_in = tonumber(offset) + 1
    ms = math.max(ms, tonumber(last))
    out = tonumber(string.match(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1], '-(%d+)$'))
  end
end
if len == 0 then out = went_in end

local last = 0
if known[4] then last = tonumber(string.match(known[4], '^(%d+):')) end
if seq <= last then return {2, went_in - out} end
if after > 0 and last ~= after then return {-1, went_in - out} end
if len > 0 and went_in - out + size > tonumber(ARGV[6]) then return {0, went_in - out} end

redis.call('XADD', KEYS[1], string.format('%.0f-%.0f', ms, went_in), 'f', ARGV[7], 'n', ARGV[5])
redis.call('HSET', KEYS[2],
  'in', string.format('%.0f', went_in + size), 'out', string.format('%.0f', out), 'ms', string.format('%.0f', ms),
  ARGV[1], ARGV[2] .. ':' .. ARGV[4] .. ':' .. string.format('%.0f', ms))
return {1, went_in + size - out}
