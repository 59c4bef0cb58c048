return cjson.encode({ ladder = read_ladder() })
