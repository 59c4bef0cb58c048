-- A write, or a server that takes no writes would look healthy.
keep(KEYS[step.ready], 1, now + step.kept_for)
return done()
