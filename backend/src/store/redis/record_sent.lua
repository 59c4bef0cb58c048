local expires_at = now + step.lifetime
count_sent(step.taken_at)
set('person', step.person, 'wrong_checks', step.wrong_checks, 'status', 'pending',
  'channel', step.channel, 'upstream_id', step.upstream_id, 'deliveries', step.deliveries,
  'checks_left', step.checks, 'expires_at', expires_at)
redis.call('PEXPIRE', KEYS[step.session], step.lifetime)
local forget_at = expires_at + step.memory
keep(KEYS[step.ended], forget_at, forget_at)
return cjson.encode({ recorded = now })
