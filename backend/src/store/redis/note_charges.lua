-- Books what Plivo charged, once however often it is told. The rule is that of
-- charges.rs; a test holds the two together. The book is kept as it is written
-- there: `validation;charge settles;charge settles`.

local text = redis.call('GET', KEYS[step.charges]) or '0'
local validation = tonumber(string.match(text, '^%d+'))
local attempts = {}
for charge, settles in string.gmatch(text, ';(%d+) (%d+)') do
  attempts[#attempts + 1] = { charge = tonumber(charge), settles = tonumber(settles) }
end
local deliveries = {}
if live() then
  local kept = redis.call('HGET', KEYS[step.session], 'deliveries')
  for channel, at, expected in string.gmatch(kept, '(%w+) (%d+) ?([%d=]*)') do
    if expected == '' then expected = '0' end
    deliveries[#deliveries + 1] = { channel = channel, at = tonumber(at), expected = expected }
  end
end

local charged, corrections, has_settled = {}, {}, false
local function charge(channel, amount)
  charged[#charged + 1] = { channel = channel, amount = string.format('%.0f', amount) }
end
local function amend(at, before, after)
  if before ~= after then corrections[#corrections + 1] = { at, before, after } end
end

for i, told in ipairs(step.attempts) do
  attempts[i] = attempts[i] or { charge = 0, settles = 0 }
  local attempt, before = attempts[i], attempts[i].charge
  if told[2] > before then
    attempt.charge = told[2]
    charge(told[1], told[2] - before)
    if attempt.settles > 0 then amend(attempt.settles, before, told[2]) end
  end
end
for d = #deliveries, 1, -1 do
  local delivery = deliveries[d]
  if delivery.expected ~= '=' then
    for i = #step.attempts, 1, -1 do
      local attempt = attempts[i]
      if step.attempts[i][1] == delivery.channel and attempt.charge > 0 and attempt.settles == 0 then
        amend(delivery.at, tonumber(delivery.expected), attempt.charge)
        attempt.settles, delivery.expected, has_settled = delivery.at, '=', true
        break
      end
    end
  end
end
if step.validation > validation then
  charge(nil, step.validation - validation)
  if #deliveries > 0 then amend(deliveries[#deliveries].at, validation, step.validation) end
  validation = step.validation
end

if #charged > 0 or has_settled then
  if #deliveries > 0 then
    local words = {}
    for i, it in ipairs(deliveries) do
      words[i] = string.format('%s %.0f %s', it.channel, it.at, it.expected)
    end
    set('deliveries', table.concat(words, ';'))
  end
  text = string.format('%.0f', validation)
  for _, it in ipairs(attempts) do
    text = text .. string.format(';%.0f %.0f', it.charge, it.settles)
  end
  keep(KEYS[step.charges], text, now + step.kept_for)
  -- The claim on the caps, where there are any.
  for _, claim in ipairs(step.claims or {}) do
    local windows = windows_of(claim)
    for _, it in ipairs(corrections) do
      for j, quota in ipairs(claim.quotas) do correct(windows[j], quota, it[1], it[2], it[3]) end
    end
    write_windows(claim, windows)
  end
end
-- An empty list would look like an empty object.
return cjson.encode({ charged = { charged = #charged > 0 and charged or nil } })
