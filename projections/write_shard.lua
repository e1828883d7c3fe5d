-- One shard's documents, entries and checkpoint, together or not at all. Gives 1, or 0 where it refuses.
--
-- KEYS: the checkpoint's position, its event, then the documents, then a sorted set for each entry.
-- ARGV: position and event that the worker started from ('' for none), the new ones, the number of documents,
--       their bytes, then score and member for each entry (score '': the member is taken out).
--
-- The checkpoint fences: a worker that was paused while another went on, that remembers what an emptied
-- store has forgotten, or that has read another history of the log, changes nothing.
for index = 1, 2 do
  if (redis.call('GET', KEYS[index]) or '') ~= ARGV[index] then
    return 0
  end
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
