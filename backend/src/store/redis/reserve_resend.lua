local session, why = open()
if not session then return over(why) end
local hold, wait = reserve()
return cjson.encode(hold and { held = hold } or wait)
