-- Compare and set all roots of one publication.
-- KEYS: the set of named hashes, the set of claimed ones (see claim.lua), then
-- one root per group.
-- ARGV: epoch, generation, grace in ms, prefix of contents, named hashes,
--       dropped hashes (64 hex digits each, joined), then per root: bytes,
--       signature, hash, parts (joined), and the digest of a stored root that
--       was found to be forged ('' for none); at last the succession of signing
--       keys that the writer knows, and the digest of a stored one that leads to
--       no newer key ('' for none).
-- The last of KEYS holds the succession that all writers have to know.
local named = KEYS[1]
local epoch, generation = tonumber(ARGV[1]), tonumber(ARGV[2])
local grace, prefix = ARGV[3], ARGV[4]
local none = string.rep('0', 64)

local function kind(key)
  return redis.call('TYPE', key).ok
end

local function each(joined, f)
  for i = 1, #joined, 64 do
    f(string.sub(joined, i, i + 63))
  end
end

-- 0. Is there a newer signing key than the writer's?
local last, chain = #KEYS - 1, ARGV[#ARGV - 1]
local told = ''
if kind(KEYS[#KEYS]) == 'string' then
  told = redis.call('GET', KEYS[#KEYS])
end
if told ~= '' and told ~= chain and redis.sha1hex(told) ~= ARGV[#ARGV] then
  return {'keys', told}
end

-- 1. Is anything there that is newer, or another root of the same generation?
local old = {}
for i = 3, last do
  local a = 7 + (i - 3) * 5
  local t = kind(KEYS[i])
  if t ~= 'none' and t ~= 'hash' then
    redis.call('DEL', KEYS[i])
    t = 'none'
  end
  old[i] = ''
  if t == 'hash' then
    local cur = redis.call('HMGET', KEYS[i], 'epoch', 'generation', 'root', 'sig', 'parts')
    local e, g = tonumber(cur[1] or ''), tonumber(cur[2] or '')
    local digest = redis.sha1hex((cur[1] or '') .. '|' .. (cur[2] or '') .. '|' .. (cur[3] or '') .. '|' .. (cur[4] or ''))
    if e and g and digest ~= ARGV[a + 4] then
      if e > epoch or (e == epoch and g > generation) then
        return {'newer', i - 3}
      end
      if e == epoch and g == generation and cur[3] ~= ARGV[a] then
        return {'diverged', i - 3}
      end
    end
    old[i] = cur[5] or ''
  end
end

-- 2. Is every content there?
local keep, missing = {}, {}
local function want(hash)
  if hash ~= none and not keep[hash] then
    keep[hash] = true
    if redis.call('EXISTS', prefix .. hash) == 0 then
      missing[#missing + 1] = hash
    end
  end
end
each(ARGV[5], want)
for i = 3, last do
  each(ARGV[7 + (i - 3) * 5 + 3], want)
end
if #missing > 0 then
  return {'missing', unpack(missing, 1, math.min(#missing, 1000))}
end

-- 3. Name them, write the roots, let go of the rest.
if kind(named) ~= 'set' then
  redis.call('DEL', named)
end
local claimed = kind(KEYS[2]) == 'set'
for hash in pairs(keep) do
  redis.call('PERSIST', prefix .. hash)
  redis.call('SADD', named, hash)
end
local function drop(hash)
  if hash ~= none and not keep[hash] and not (claimed and redis.call('SISMEMBER', KEYS[2], hash) == 1) then
    if redis.call('SREM', named, hash) == 1 or redis.call('PTTL', prefix .. hash) == -1 then
      redis.call('PEXPIRE', prefix .. hash, grace)
    end
  end
end
for i = 3, last do
  local a = 7 + (i - 3) * 5
  if old[i] ~= ARGV[a + 3] then
    each(old[i], drop)
  end
  redis.call('HSET', KEYS[i], 'epoch', ARGV[1], 'generation', ARGV[2], 'root', ARGV[a],
    'sig', ARGV[a + 1], 'sha', ARGV[a + 2], 'parts', ARGV[a + 3])
end
each(ARGV[6], drop)
if chain == '' then
  redis.call('DEL', KEYS[#KEYS])
elseif told ~= chain then
  redis.call('SET', KEYS[#KEYS], chain)
end
return {'held'}
