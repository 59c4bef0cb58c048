redis.call('DEL', KEYS[step.session])
return done()
