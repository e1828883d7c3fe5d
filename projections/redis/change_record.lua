-- Sets a view's record and pointer, together or not at all; only where both are still what the worker saw.
-- Gives 1, or 0 where it refuses.
--
-- KEYS: the record, the pointer. ARGV: the record and the pointer as they were, and as they are to be ('' : none).
--
-- What is no string counts as none, and is replaced.
for index = 1, 2 do
  local kind = redis.call('TYPE', KEYS[index]).ok
  if (kind == 'string' and redis.call('GET', KEYS[index]) or '') ~= ARGV[index] then
    return 0
  end
end
for index = 1, 2 do
  if ARGV[2 + index] == '' then
    redis.call('DEL', KEYS[index])
  else
    redis.call('SET', KEYS[index], ARGV[2 + index])
  end
end
return 1
