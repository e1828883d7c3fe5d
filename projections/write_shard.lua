-- One shard's documents, entries and checkpoint, together or not at all. Gives 1, or 0 where it refuses.
--
-- KEYS: the checkpoint, then the documents, then a sorted set for each entry.
-- ARGV: the checkpoint the worker started from ('' for none), the new one, the number of documents, their
--       bytes, then score and member for each entry (score '': the member is taken out).
--
-- The checkpoint fences: a worker that was paused while another went on, or that remembers what an emptied
-- store has forgotten, changes nothing.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
local documents = tonumber(ARGV[3])
for index = 1, documents do
  redis.call('SET', KEYS[1 + index], ARGV[3 + index])
end
local argument = 4 + documents
for index = 2 + documents, #KEYS do
  if ARGV[argument] == '' then
    redis.call('ZREM', KEYS[index], ARGV[argument + 1])
  else
    redis.call('ZADD', KEYS[index], ARGV[argument], ARGV[argument + 1])
  end
  argument = argument + 2
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
