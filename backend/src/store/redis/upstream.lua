-- What is known of the attempts of one of Plivo's sessions. Written as
-- store/upstream.rs writes it: `sms 3 -;voice 2 unreachable`, with the rank of
-- the status in the middle.

local key = KEYS[step.upstream]
local kept = redis.call('HMGET', key, 'attempts', 'asked_at', 'forget_at')
local text, asked_at = '', 0
if kept[3] and tonumber(kept[3]) > now then
  text, asked_at = kept[1], tonumber(kept[2])
end

local attempts = {}
for channel, rank, reason in string.gmatch(text, '(%w+) (%d) ([%w_-]+)') do
  attempts[#attempts + 1] = { channel, tonumber(rank), reason }
end
-- A status never moves back.
local arrived = {}
for _, noted in ipairs(step.noted or {}) do
  local place, channel, rank, reason = unpack(noted)
  while #attempts <= place do attempts[#attempts + 1] = { channel, 0, '-' } end
  local known = attempts[place + 1]
  known[1] = channel
  if rank > known[2] then
    known[2] = rank
    if rank == 3 then arrived[#arrived + 1] = channel end
  end
  if known[2] ~= 2 then known[3] = '-' elseif known[3] == '-' then known[3] = reason end
end
local words = {}
for i, attempt in ipairs(attempts) do words[i] = table.concat(attempt, ' ') end
text = table.concat(words, ';')

local is_turn = false
if step.ask_again then asked_at = 0 end
if step.pace and asked_at + step.pace <= now then asked_at, is_turn = now, true end
if is_turn or step.noted then
  redis.call('HSET', key, 'attempts', text, 'asked_at', asked_at, 'forget_at', now + step.kept_for)
  redis.call('PEXPIRE', key, step.kept_for)
end
return cjson.encode({
  watched = { attempts = text, is_turn = is_turn, arrived = table.concat(arrived, ' ') },
})
