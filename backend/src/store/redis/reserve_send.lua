local hold, wait = reserve()
return cjson.encode(hold and { held = hold } or wait)
