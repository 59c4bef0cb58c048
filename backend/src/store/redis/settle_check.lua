if step.accepted then give_back() end
local session, why = live()
if not session then return over(why) end
if session.status == 'verified' then return over('already_verified') end
-- A right code on the last check counts, also when a wrong one that ran beside
-- it was answered first.
if step.accepted then
  set('status', 'verified')
  count_verified(redis.call('HGET', KEYS[step.session], 'deliveries'))
  return cjson.encode('verified')
end
if session.checks_left == 0 then set('status', 'exhausted') end
return cjson.encode({ incorrect = { checks_left = session.checks_left } })
