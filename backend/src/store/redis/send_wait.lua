local milliseconds = look()
return cjson.encode({ wait = { milliseconds = milliseconds } })
