local session, why = open()
if not session then return over(why) end
-- The last check is under way; its answer decides the status.
if session.checks_left == 0 then return over('checks_exhausted') end
if step.by_number then
  KEYS[step.claims[1].key] = redis.call('HGET', KEYS[step.session], 'wrong_checks')
end
local hold, wait = reserve()
if not hold then return cjson.encode(wait) end
set('checks_left', session.checks_left - 1)
return cjson.encode({ held_of = { hold, seen() } })
