-- Write an entry if it is newer, and if it does not revive a revoked key.
-- KEYS: the entry. ARGV: version, payload, MAC, and the MAC of a stored entry
-- that was found to be forged ('' for none).
-- Returns 1 if written, 0 if the very same entry is there, else what is there.
local t = redis.call('TYPE', KEYS[1]).ok
if t ~= 'none' and t ~= 'hash' then
  redis.call('DEL', KEYS[1])
elseif t == 'hash' then
  local cur = redis.call('HMGET', KEYS[1], 'v', 'p', 'm')
  local version = tonumber(cur[1] or '')
  local forged = not (version and cur[2] and cur[3])
    or redis.sha1hex(cur[1] .. '|' .. cur[3] .. '|' .. cur[2]) == ARGV[4]
  if not forged then
    if cur[1] == ARGV[1] and cur[2] == ARGV[2] and cur[3] == ARGV[3] then
      return 0
    end
    local revived = string.sub(cur[2], 1, 1) == 'R' and string.sub(ARGV[2], 1, 1) ~= 'R'
    if version >= tonumber(ARGV[1]) or revived then
      return {cur[1], cur[2], cur[3]}
    end
  end
end
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'p', ARGV[2], 'm', ARGV[3])
redis.call('PERSIST', KEYS[1])
return 1
