local session, why = open()
if not session then return over(why) end
-- The last check is under way; its answer decides the status.
if session.checks_left == 0 then return over('checks_exhausted') end
local hold, wait = reserve()
if not hold then return cjson.encode(wait) end
set('checks_left', session.checks_left - 1)
hold.upstream_id = redis.call('HGET', KEYS[step.session], 'upstream_id')
return cjson.encode({ held = hold })
