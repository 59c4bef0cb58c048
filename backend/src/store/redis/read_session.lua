local session, why = live()
if not session then return over(why) end
return cjson.encode({ session = seen() })
