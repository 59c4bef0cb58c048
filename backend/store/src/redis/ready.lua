-- Whether this server is fit, and holds what was made with our key. Writes, or a
-- server that takes no writes would look healthy.
-- KEYS: the mark of the key. ARGV: our mark, and for how long it is kept.
local function info(section, pattern)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and string.match(text, pattern) or ''
end
local mark = redis.call('GET', KEYS[1]) or ''
if mark ~= '' and mark ~= ARGV[1] then return {'other_key'} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {
  'ready', tonumber(info('memory', 'maxmemory:(%d+)')) or 0,
  info('memory', 'maxmemory_policy:([%w-]+)'), info('persistence', 'aof_enabled:(%d)'),
  info('replication', 'state=(online)'),
}
