give_back()
local session = live()
if session then
  set('checks_left', session.checks_left + 1)
  if session.status == 'exhausted' then set('status', 'pending') end
end
return done()
