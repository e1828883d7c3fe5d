-- Sets a view's pointer, or deletes it where the new one is ''; only where it is still what the worker saw
-- ('' for none). Gives 1, or 0 where it refuses.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1
