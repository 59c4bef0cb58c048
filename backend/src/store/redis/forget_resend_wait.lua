redis.call('DEL', KEYS[step.ladder])
return done()
