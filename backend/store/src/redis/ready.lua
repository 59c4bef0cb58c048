-- Checks whether this server is fit, and whether its rows were made with our key. It
-- writes, because a read-only server would otherwise look healthy.
-- KEYS: the mark of the key. ARGV: our mark, and its lifetime.
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
