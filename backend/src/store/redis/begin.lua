local key = KEYS[step.answer]
local kept = redis.call('HMGET', key, 'body', 'answer', 'forget_at', 'mismatches')
if kept[1] and tonumber(kept[3]) > now then
  if tonumber(kept[4] or 0) >= step.max_mismatches then return cjson.encode('blocked') end
  if kept[1] ~= step.body then
    redis.call('HINCRBY', key, 'mismatches', 1)
    return cjson.encode('mismatched')
  end
  if kept[2] then return cjson.encode({ answered = kept[2] }) end
  local begun_at = tonumber(kept[3]) - step.kept_for
  return cjson.encode(now < begun_at + step.under_way and 'under_way' or 'lost')
end
redis.call('DEL', key)
redis.call('HSET', key, 'body', step.body, 'forget_at', now + step.kept_for)
redis.call('PEXPIRE', key, step.kept_for)
return done()
