-- Returns rows and the time, read atomically.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local rows = {}
if ARGV[1] == 'rows' then rows = redis.call('MGET', unpack(KEYS)) end
return {'loaded', now, rows}
