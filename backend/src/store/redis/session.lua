-- A session is a hash that lives as long as it does. Behind it stands its name
-- alone for a while, so that its holder hears "expired".

local function ended()
  local forget_at = redis.call('GET', KEYS[step.ended])
  if forget_at and tonumber(forget_at) > now then return 'expired' end
  return 'not_found'
end

-- The session while it lives, whatever its status; or why there is none.
local function live()
  local fields = redis.call('HMGET', KEYS[step.session], 'status', 'checks_left', 'expires_at')
  local status, expires_at = fields[1], tonumber(fields[3] or 0)
  if not status or expires_at <= now then return nil, ended() end
  return { status = status, checks_left = tonumber(fields[2]) }
end

-- The session while codes may be sent and tried.
local function open()
  local session, over = live()
  if not session then return nil, over end
  if session.status == 'verified' then return nil, 'already_verified' end
  if session.status == 'exhausted' then return nil, 'checks_exhausted' end
  return session
end

local function set(...)
  redis.call('HSET', KEYS[step.session], ...)
end

-- When the delivery was asked for, and what it is expected to cost.
local function taken() return string.format(' %.0f %.0f', step.taken_at, step.expected) end

-- All that is kept of a session, for its view.
local function seen()
  local fields = redis.call('HGETALL', KEYS[step.session])
  local session = { now = now }
  for i = 1, #fields, 2 do session[fields[i]] = fields[i + 1] end
  return session
end

local function over(why) return cjson.encode({ over = why }) end
