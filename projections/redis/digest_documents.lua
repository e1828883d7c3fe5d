-- How far a shard is, and of each of the documents a digest and its score in the ranking: all of one moment.
--
-- KEYS: the checkpoint's position, its event, the documents; then, where the view has one, the ranking.
-- ARGV: the documents' members in the ranking.
local ranking = KEYS[#ARGV + 3]
if ranking and redis.call('TYPE', ranking).ok ~= 'zset' then
  ranking = nil
end
local function text(key)
  return redis.call('TYPE', key).ok == 'string' and redis.call('GET', key) or ''
end
local found = {text(KEYS[1]), text(KEYS[2])}
for index = 1, #ARGV do
  local key = KEYS[index + 2]
  local kind = redis.call('TYPE', key).ok
  local content = kind
  if kind == 'string' then
    content = redis.call('GET', key)
  elseif kind == 'zset' then
    content = table.concat(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), '\0')
  end
  found[#found + 1] = kind == 'none' and '' or redis.sha1hex(content)
  found[#found + 1] = ranking and redis.call('ZSCORE', ranking, ARGV[index]) or ''
end
return found
