-- Compare-and-set: writes only if every row still has the stamp it had when read.
-- KEYS: every row that was read. ARGV: the deadline, then for each row its stamp
-- ('' if absent), its new value and its lifetime ('' if unchanged, or 'delete').
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now >= tonumber(ARGV[1]) then return {'late'} end
local rows = redis.call('MGET', unpack(KEYS))
for i in ipairs(KEYS) do
  if string.sub(rows[i] or '', 1, 8) ~= ARGV[3 * i - 1] then return {'conflict', now, rows} end
end
for i, key in ipairs(KEYS) do
  local value, lifetime = ARGV[3 * i], ARGV[3 * i + 1]
  if lifetime == 'delete' then
    redis.call('DEL', key)
  elseif lifetime ~= '' then
    redis.call('SET', key, value, 'PX', lifetime)
  end
end
return {'done'}
