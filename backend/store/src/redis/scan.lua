-- Returns a batch of keys. KEYS: only selects the node. ARGV: the cursor, the pattern.
return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000)
