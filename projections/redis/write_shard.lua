-- One shard's documents, entries and checkpoint, together or not at all. Gives 1, or 0 where it refuses.
--
-- KEYS: the checkpoint's position, its event, then the documents, then a sorted set for each entry; where a floor
--       is given, the ranking that it is of.
-- ARGV: position and event that the worker started from ('' for none), the new ones, the number of documents, the
--       floor ('': none), the documents' bytes, then score and member for each entry (score '': the member is
--       taken out).
--
-- Documents below the floor are deleted: their keys follow from their members in the ranking, as in keys.py.
--
-- The checkpoint fences: a worker that was paused while another went on, that remembers what an emptied
-- store has forgotten, or that has read another history of the log, changes nothing.
--
-- What is no position is no checkpoint, whatever else lies there: nobody could start from it.
local function text(key)
  return redis.call('TYPE', key).ok == 'string' and redis.call('GET', key) or ''
end
local position = text(KEYS[1])
if #position > 18 or not (position == '0' or string.match(position, '^[1-9]%d*$')) then
  position = ''
end
local event = position == '' and '' or text(KEYS[2])
if position ~= ARGV[1] or event ~= ARGV[2] then
  return 0
end
local documents = tonumber(ARGV[5])
for index = 1, documents do
  redis.call('SET', KEYS[2 + index], ARGV[6 + index])
end
local floor = ARGV[6]
local argument = 7 + documents
for index = 3 + documents, #KEYS - (floor == '' and 0 or 1) do
  if ARGV[argument] == '' then
    redis.call('ZREM', KEYS[index], ARGV[argument + 1])
  else
    redis.call('ZADD', KEYS[index], ARGV[argument], ARGV[argument + 1])
  end
  argument = argument + 2
end
if floor ~= '' then
  local ranking, prefix = KEYS[#KEYS], string.sub(KEYS[1], 1, -1 - #'checkpoint')
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', ranking, '-inf', '(' .. floor)) do
    local is_taken = member == 'checkpoint' or string.sub(member, 1, 1) == ':'
    redis.call('DEL', prefix .. (is_taken and '::' or '') .. member)
  end
  redis.call('ZREMRANGEBYSCORE', ranking, '-inf', '(' .. floor)
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
return 1
