return cjson.encode({ used = used_of(windows_of(step.claims[1])) })
