local hold, wait = reserve()
if not hold then return cjson.encode(wait) end
set('person', step.person, 'status', 'reserved', 'channel', step.channel, 'upstream_id', '',
  'deliveries', '', 'checks_left', step.checks, 'expires_at', now + step.under_way)
redis.call('PEXPIRE', KEYS[step.session], step.under_way)
return cjson.encode({ held = hold })
