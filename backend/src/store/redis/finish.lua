local key = KEYS[step.answer]
if step.sealed then
  redis.call('HSET', key, 'body', step.body, 'answer', step.sealed, 'forget_at', now + step.kept_for)
  redis.call('PEXPIRE', key, step.kept_for)
else
  redis.call('DEL', key)
end
return done()
