-- Counts the frames that the same transaction has just appended to a shard's stream,
-- and takes away again what was there before or goes beyond the budget. So the frames
-- themselves never pass through Lua, which costs more than all the rest.
-- KEYS: stream, starts, sizes
-- ARGV: budget in bytes, then per frame: start, sequence, records with this batch,
--       records in it, bytes that it takes
-- Answers {bytes in the stream, result..}: 1 appended, 2 was there already, 0 there is no
-- room for it, nor for those after it. Without frames it only tells the bytes.
--
-- In the sizes there is an entry for each of the stream's, in the same order. Its id is
-- <milliseconds>-<bytes that went in before>: so the bytes since any time are known.
local frames = (#ARGV - 1) / 5
local known = redis.call('HMGET', KEYS[2], 'in', 'out', 'ms')
local went_in, out, ms = tonumber(known[1]), tonumber(known[2]) or 0, tonumber(known[3]) or 0
local text = function(n) return string.format('%.0f', n) end

local len = redis.call('XLEN', KEYS[1]) - frames
if went_in == nil then
  -- The hash was lost. Go on where the sizes end, if there are any.
  went_in = 0
  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  if last then
    local at, offset = string.match(last[1], '^(%d+)-(%d+)$')
    went_in, ms = tonumber(offset) + tonumber(last[2][2]), tonumber(at)
    out = tonumber(string.match(redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1][1], '-(%d+)$'))
  end
end
if len == 0 and out < went_in then
  redis.call('XTRIM', KEYS[3], 'MAXLEN', 0)
  out = went_in
end
if frames == 0 then
  redis.call('XLEN', KEYS[3]) -- fails, as it would after frames were appended, when it is no stream
  return {went_in - out}
end

local time = redis.call('TIME')
ms = math.max(ms, tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local results, last, entries, full = {}, {}, nil, false
local changes = {}
for i = 1, frames do
  local at = 5 * i - 3
  local start, seq, size = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 4])
  if last[start] == nil then
    local value = redis.call('HGET', KEYS[2], start)
    last[start] = value and tonumber(string.match(value, '^(%d+):')) or 0
  end
  if not full and seq > last[start] and len > 0 and went_in - out + size > tonumber(ARGV[1]) then full = true end
  if full or seq <= last[start] then
    entries = entries or redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', frames)
    redis.call('XDEL', KEYS[1], entries[frames - i + 1][1])
    results[i] = full and 0 or 2
  else
    local id = text(ms) .. '-' .. text(went_in)
    local added = redis.pcall('XADD', KEYS[3], id, 's', ARGV[at + 4])
    if type(added) == 'table' and added.err then -- the hash was lost and the clock went back
      redis.call('DEL', KEYS[3])
      redis.call('XADD', KEYS[3], id, 's', ARGV[at + 4])
    end
    changes[start] = ARGV[at + 1] .. ':' .. ARGV[at + 2] .. ':' .. text(ms)
    last[start], went_in, len = seq, went_in + size, len + 1
    results[i] = 1
  end
end
local fields = {'in', text(went_in), 'out', text(out), 'ms', text(ms)}
for start, value in pairs(changes) do
  fields[#fields + 1], fields[#fields + 2] = start, value
end
redis.call('HSET', KEYS[2], unpack(fields))
return {went_in - out, unpack(results)}
