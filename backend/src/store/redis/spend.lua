local key = KEYS[step.spent]
local kept = redis.call('GET', key)
if kept and tonumber(kept) > now then return cjson.encode('spent') end
if step.kept_for then keep(key, now + step.kept_for, now + step.kept_for) end
return done()
