local channel = redis.call('HGET', KEYS[step.session], 'channel')
-- Gone only where the call took longer than a step is waited for.
if not channel then return over('not_found') end
local expires_at = now + step.lifetime
count_sent(step.taken_at)
set('status', 'pending', 'upstream_id', step.upstream_id, 'deliveries', channel .. taken(),
  'expires_at', expires_at)
redis.call('PEXPIRE', KEYS[step.session], step.lifetime)
local forget_at = expires_at + step.memory
keep(KEYS[step.ended], forget_at, forget_at)
return seen()
