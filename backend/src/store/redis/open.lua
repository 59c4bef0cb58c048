-- Whether this server is fit, and holds what was made with our key. Writes, or a
-- server that takes no writes would look healthy.

local info = redis.pcall('INFO', 'memory')
if type(info) == 'string' then
  local most = tonumber(string.match(info, 'maxmemory:(%d+)') or 0)
  local policy = string.match(info, 'maxmemory_policy:([%w-]+)') or 'noeviction'
  if most > 0 and policy ~= 'noeviction' then return cjson.encode('may_evict') end
end
local key = KEYS[step.key_check]
local kept = redis.call('GET', key)
if kept and kept ~= step.check then return cjson.encode('other_key') end
keep(key, step.check, now + step.kept_for)
return done()
