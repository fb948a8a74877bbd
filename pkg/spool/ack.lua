-- Acknowledges entries that still belong to a consumer, and notes which records of
-- their starts the group has.
-- KEYS: stream, positions, dead letters
-- ARGV: group, consumer, milliseconds, reason or "", most dead letters, then per entry:
--       id, start, base, count, first and last time (microseconds), frame or ""
-- Without a consumer it only notes the records: the group was made anew, and has them from
-- its earlier life. So it does for entries that nobody has in work any more: the consumer
-- says that the group has them.
-- With a reason the entries go to the dead letters. A start "-" is unknown.
-- Answers per entry: {1 done | 2 done, known before | 0 not ours any more, position}.
-- A write that changes nothing: after one Redis does not refuse a script for want of memory
-- (maxmemory), and this one must run then, since it is what frees memory.
redis.call('HDEL', KEYS[2], '')
local prefix = ARGV[1] .. '/'
local number = function(n) return string.format('%.0f', n) end

local cover = function(value, base, count, first, last, now)
  local high, since, lost, ranges = 0, 0, 0, {}
  if value == '?' then
    if base > 0 then ranges[1] = {0, base, first, first} end
  elseif value then
    local h, s, l, rest = string.match(value, '^(%d+);(%d+);(%d+);(.*)$')
    high, since, lost = tonumber(h), tonumber(s), tonumber(l)
    for f, t, a, b in string.gmatch(rest, '(%d+)-(%d+)-(%d+)-(%d+)') do
      ranges[#ranges + 1] = {tonumber(f), tonumber(t), tonumber(a), tonumber(b)}
    end
  end
  local holes = function()
    local n, at = 0, 0
    for _, r in ipairs(ranges) do
      if r[1] > at then n = n + 1 end
      at = r[2]
    end
    if high > at then n = n + 1 end
    return n
  end
  local before, seen = holes(), 1
  if count > 0 then
    for _, r in ipairs(ranges) do
      if r[1] <= base and base + count <= r[2] then seen = 2 end
    end
    ranges[#ranges + 1] = {base, base + count, first, last}
    table.sort(ranges, function(a, b) return a[1] < b[1] end)
    local merged = {ranges[1]}
    for i = 2, #ranges do
      local r, m = ranges[i], merged[#merged]
      if r[1] <= m[2] then
        if r[2] > m[2] then m[2], m[4] = r[2], r[4] end
      else
        merged[#merged + 1] = r
      end
    end
    ranges = merged
  end
  high = math.max(high, base + count)
  if holes() > before then since = now end
  while #ranges > 100 do -- the oldest hole is counted and forgotten
    lost = lost + ranges[2][1] - ranges[1][2]
    ranges[2][1], ranges[2][3] = ranges[1][1], ranges[1][3]
    table.remove(ranges, 1)
  end
  local parts = {}
  for i, r in ipairs(ranges) do
    parts[i] = number(r[1]) .. '-' .. number(r[2]) .. '-' .. number(r[3]) .. '-' .. number(r[4])
  end
  return number(high) .. ';' .. number(since) .. ';' .. number(lost) .. ';' .. table.concat(parts, ','), seen
end

local answers = {}
for i = 6, #ARGV, 7 do
  local id, start, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 3])
  local owner = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)
  if #owner == 0 or owner[1][2] ~= ARGV[2] then
    local known = start ~= '-' and redis.call('HGET', KEYS[2], prefix .. start)
    if ARGV[2] == '' or (#owner == 0 and known and ARGV[4] == '') then
      redis.call('HSET', KEYS[2], prefix .. start, (cover(known, tonumber(ARGV[i + 2]), count,
        tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[3]))))
    end
    answers[#answers + 1] = {0, ''}
  else
    local position, seen = '', 1
    if start ~= '-' then
      position, seen = cover(redis.call('HGET', KEYS[2], prefix .. start), tonumber(ARGV[i + 2]), count,
        tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]), tonumber(ARGV[3]))
      redis.call('HSET', KEYS[2], prefix .. start, position)
    end
    if ARGV[4] ~= '' then
      redis.call('XADD', KEYS[3], 'MAXLEN', ARGV[5], '*', 'group', ARGV[1], 'entry', id, 'reason', ARGV[4], 'records', '', 'f', ARGV[i + 6])
      redis.call('HINCRBY', KEYS[2], prefix .. '!dead', math.max(count, 0))
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    answers[#answers + 1] = {seen, position}
  end
end
return answers
