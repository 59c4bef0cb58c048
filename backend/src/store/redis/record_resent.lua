count_sent(step.taken_at)
local session, why = live()
if not session then return over(why) end
local deliveries = redis.call('HGET', KEYS[step.session], 'deliveries')
set('upstream_id', step.upstream_id, 'deliveries', deliveries .. ';' .. step.channel .. taken())
return cjson.encode({ session = seen() })
