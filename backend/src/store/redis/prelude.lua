-- Stands in front of every step. A step is one decision: nothing happens between
-- what it reads and what it writes, and each key it writes has an end.
--
-- ARGV[1] is what the step was given, in JSON. It names keys by their place in
-- KEYS. Times and lengths are milliseconds.

local step = cjson.decode(ARGV[1])

-- The server's time, so that all instances go by one clock.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- ARGV[2] is until when somebody waits for the answer. After that he was told
-- that nothing was done, and so it is.
if now >= tonumber(ARGV[2]) then return '"too_late"' end

-- A test's clock.
if step.now then now = step.now end

-- Writes a value that goes by itself when it is over.
local function keep(key, value, over_at)
  if over_at > now then
    redis.call('SET', key, value, 'PX', over_at - now)
  else
    redis.call('DEL', key)
  end
end

local function done() return '"done"' end
