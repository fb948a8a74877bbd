-- Removes what every group has passed; beyond the budget also what slow groups have
-- not, as far as the fastest has passed it.
-- KEYS: stream, starts, positions, sizes
-- ARGV: budget in bytes, milliseconds after which a group without readers is not
--       protected, milliseconds now, most entries to evict, milliseconds after which
--       silent starts are forgotten or 0
-- Answers {trimmed entries, evicted entries, bytes, entries, groups..}: per group
-- {name, 1 protected | 0 not, evicted entries, evicted records}.
local parse = function(id)
  local ms, seq = string.match(id, '^(%d+)%-?(%d*)$') -- an embedded server has "0" for "0-0"
  return {tonumber(ms), tonumber(seq) or 0}
end
local less = function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local text = function(id) return string.format('%.0f-%.0f', id[1], id[2]) end
local now = tonumber(ARGV[3])

local len = redis.call('XLEN', KEYS[1])
local info = redis.pcall('XINFO', 'GROUPS', KEYS[1])
if info.err then info = {} end

local groups, slowest, fastest = {}, nil, nil
for _, fields in ipairs(info) do
  local g = {}
  for i = 1, #fields, 2 do g[fields[i]] = fields[i + 1] end
  -- the first id that the group needs
  local need = parse(g['last-delivered-id'])
  need[2] = need[2] + 1
  if tonumber(g['pending']) > 0 then
    need = parse(redis.call('XPENDING', KEYS[1], g['name'])[2])
  end
  local seen = tonumber(redis.call('HGET', KEYS[3], g['name'] .. '/@')) or now
  local guarded = now - seen < tonumber(ARGV[2])
  groups[#groups + 1] = {name = g['name'], need = need, guarded = guarded, entries = 0, records = 0}
  if guarded then
    if slowest == nil or less(need, slowest) then slowest = need end
    if fastest == nil or less(fastest, need) then fastest = need end
  end
end

local went_in = tonumber(redis.call('HGET', KEYS[2], 'in')) or 0
local out = went_in
local first = function()
  local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  -- What left the stream leaves the sizes too; all leave at the front.
  redis.call('XTRIM', KEYS[4], 'MAXLEN', redis.call('XLEN', KEYS[1]))
  local size = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1]
  out = size and parse(size[1])[2] or went_in
  if e == nil then return nil end
  return parse(e[1]), tonumber(e[2][4]) or 0
end

local trimmed, evicted = 0, 0
if slowest and len > 0 then
  trimmed = redis.call('XTRIM', KEYS[1], 'MINID', text(slowest))
end
local id, records = first()
while fastest and id and less(id, fastest) and evicted < tonumber(ARGV[4]) and went_in - out > tonumber(ARGV[1]) do
  redis.call('XDEL', KEYS[1], text(id))
  evicted = evicted + 1
  for _, g in ipairs(groups) do
    if not less(id, g.need) then
      g.entries, g.records = g.entries + 1, g.records + records
    end
  end
  id, records = first()
end
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HSET', KEYS[2], 'out', string.format('%.0f', out)) end

if tonumber(ARGV[5]) > 0 then
  local known = redis.call('HGETALL', KEYS[2])
  for i = 1, #known, 2 do
    local at = #known[i] == 16 and string.match(known[i + 1], ':(%d+)$')
    if at and now - tonumber(at) > tonumber(ARGV[5]) then
      redis.call('HDEL', KEYS[2], known[i])
      for _, g in ipairs(groups) do redis.call('HDEL', KEYS[3], g.name .. '/' .. known[i]) end
    end
  end
end

local answer = {trimmed, evicted, went_in - out, redis.call('XLEN', KEYS[1])}
for _, g in ipairs(groups) do
  answer[#answer + 1] = {g.name, g.guarded and 1 or 0, g.entries, g.records}
end
return answer
