return cjson.encode({ time = now })
