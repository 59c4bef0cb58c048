-- Whether this server is fit, and holds what was made with our key. Writes, or a
-- server that takes no writes would look healthy.

local function info(section, name)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and string.match(text, name .. ':([%w-]+)') or nil
end

local most = tonumber(info('memory', 'maxmemory') or 0)
if most > 0 and info('memory', 'maxmemory_policy') ~= 'noeviction' then
  return cjson.encode('may_evict')
end
local key = KEYS[step.key_check]
local kept = redis.call('GET', key)
if kept and kept ~= step.check then return cjson.encode('other_key') end
keep(key, step.check, now + step.kept_for)
return cjson.encode(info('persistence', 'aof_enabled') == '0' and 'volatile' or 'done')
