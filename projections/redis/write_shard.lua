-- One shard's documents, entries and checkpoint, together or not at all. Gives 1, or 0 where it refuses.
--
-- KEYS: the checkpoint's position, its event, then the documents, then a sorted set for each entry.
-- ARGV: position and event that the worker started from ('' for none), the new ones, the number of documents,
--       their bytes, then score and member for each entry (score '': the member is taken out).
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
  redis.call('SET', KEYS[2 + index], ARGV[5 + index])
end
local argument = 6 + documents
for index = 3 + documents, #KEYS do
  if ARGV[argument] == '' then
    redis.call('ZREM', KEYS[index], ARGV[argument + 1])
  else
    redis.call('ZADD', KEYS[index], ARGV[argument], ARGV[argument + 1])
  end
  argument = argument + 2
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
return 1
