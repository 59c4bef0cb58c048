-- A part of the keys. KEYS: only to find the node. ARGV: the cursor, the pattern.
return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000)
