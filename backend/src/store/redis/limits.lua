-- Limits and ladders: what a step may use, uses up and gives back. The counting
-- is that of window.rs, to the millisecond; a test holds the two together.

-- Counts up to this keep each moment.
local EXACT = 64

-- A quota is { count, length }; a window { length, at, what, at, what, ... } with
-- the oldest mark first. `what` is how much was used, or which of different things.
local function part_of(quota)
  if quota[1] <= EXACT then return 1 end
  return math.max(1, math.floor(quota[2] / EXACT))
end

local function moment(quota, at)
  local part = part_of(quota)
  return math.ceil(at / part) * part
end

-- A claim's windows, one for each quota, without what no longer counts.
local function windows_of(claim)
  local kept = redis.call('GET', KEYS[claim.key])
  local known = kept and cmsgpack.unpack(kept) or {}
  local windows = {}
  for i, quota in ipairs(claim.quotas) do
    local window = { quota[2] }
    for _, old in ipairs(known) do
      if old[1] == window[1] then
        for mark = 2, #old, 2 do
          if old[mark] + old[1] > now then
            window[#window + 1] = old[mark]
            window[#window + 1] = old[mark + 1]
          end
        end
      end
    end
    windows[i] = window
  end
  return windows
end

local function write_windows(claim, windows)
  local over_at = 0
  for _, window in ipairs(windows) do
    for mark = 2, #window, 2 do
      over_at = math.max(over_at, window[mark] + window[1])
    end
  end
  keep(KEYS[claim.key], cmsgpack.pack(windows), over_at)
end

-- How long until the claim's use fits; 0 when it fits now. What never fits waits
-- for a whole window.
local function wait_for(window, quota, claim)
  local different, more = claim.different, claim.different and 1 or claim.amount
  local used = 0
  for mark = 2, #window, 2 do
    if different and window[mark + 1] == different then return 0 end
    used = used + (different and 1 or window[mark + 1])
  end
  if more > quota[1] then return quota[2] end
  local excess = used + more - quota[1]
  if excess <= 0 then return 0 end
  for mark = 2, #window, 2 do
    excess = excess - (different and 1 or window[mark + 1])
    if excess <= 0 then return window[mark] + quota[2] - now end
  end
  return 0
end

local function remove(window, mark)
  table.remove(window, mark)
  return table.remove(window, mark)
end

-- How much is used, of each quota; exact to fifteen digits as text.
local function used_of(windows)
  local used = {}
  for i, window in ipairs(windows) do
    local sum = 0
    for mark = 2, #window, 2 do sum = sum + window[mark + 1] end
    used[i] = string.format('%.0f', sum)
  end
  return used
end

-- What was taken at that moment turns out to be another amount.
local function correct(window, quota, taken_at, before, after)
  local at, place = moment(quota, taken_at), 2
  if at + window[1] <= now then return end
  while window[place] and window[place] < at do place = place + 2 end
  if window[place] ~= at then
    table.insert(window, place, 0)
    table.insert(window, place, at)
  end
  window[place + 1] = math.max(0, window[place + 1] + after - before)
  if window[place + 1] == 0 then remove(window, place) end
end

-- Answers when this thing was counted before, of different things; else 0.
local function take(window, quota, claim)
  local different = claim.different
  local at, what, before = moment(quota, now), claim.amount, 0
  if different then
    at, what = now, different
    for mark = #window - 1, 2, -2 do
      if window[mark + 1] == different then
        before = window[mark]
        remove(window, mark)
      end
    end
  elseif window[#window - 1] == at then
    window[#window] = window[#window] + what
    return 0
  end
  window[#window + 1] = at
  window[#window + 1] = what
  return before
end

-- How often the number was sent to lately, and when it may be again.
local function read_ladder()
  local kept = redis.call('GET', KEYS[step.ladder])
  if kept then
    local sends, next_at, forget_at = unpack(cmsgpack.unpack(kept))
    if forget_at > now then return { sends = sends, next_at = next_at } end
  end
  return { sends = 0, next_at = 0 }
end

-- A ladder is forgotten when no session of its last send lives any more.
local function write_ladder(ladder)
  local forget_at = math.max(now + step.lifetime, ladder.next_at)
  local kept = cmsgpack.pack({ ladder.sends, ladder.next_at, forget_at })
  keep(KEYS[step.ladder], kept, forget_at)
end

local function climbed(ladder, at)
  local sends = ladder.sends + 1
  return { sends = sends, next_at = at + step.waits[math.min(sends, #step.waits)] }
end

-- Whether each of the claims and, for a send, the number's ladder has room; or
-- how long to wait for all of them.
local function look()
  local longest, limit = 0, nil
  local ladder = step.ladder and read_ladder()
  if ladder and not step.at_once and ladder.next_at > now then longest = ladder.next_at - now end
  local all = {}
  for i, claim in ipairs(step.claims) do
    all[i] = windows_of(claim)
    for j, quota in ipairs(claim.quotas) do
      local wait = wait_for(all[i][j], quota, claim)
      if wait > longest then longest, limit = wait, i - 1 end
    end
  end
  local outlook = places_look()
  local place
  for i = 1, 2 do
    local wait = outlook.waits[i] or 0
    if wait > longest then longest, limit, place = wait, nil, i end
  end
  return longest, limit, all, ladder, outlook, place
end

-- Uses one of every claim and, for a send, the next rung of the number's ladder;
-- or nothing at all, and answers how long to wait for all of them.
local function reserve()
  local longest, limit, all, ladder, outlook, place = look()
  -- It slumps whatever becomes of this step.
  for _, part in ipairs(outlook.cooled) do write_place(part) end
  -- An empty list would look like an empty object.
  local slumps = #outlook.slumps > 0 and outlook.slumps or nil
  if longest > 0 then
    local wait = { milliseconds = longest, claim = limit, place = place, slumps = slumps }
    return nil, { wait = wait }
  end
  local previous, next_at, spent = {}, now, nil
  for i, claim in ipairs(step.claims) do
    previous[i] = 0
    for j, quota in ipairs(claim.quotas) do
      local window = all[i][j]
      previous[i] = math.max(previous[i], take(window, quota, claim))
      next_at = math.max(next_at, now + wait_for(window, quota, claim))
    end
    if claim.is_spend then spent = used_of(all[i]) end
    write_windows(claim, all[i])
  end
  if ladder then
    local after = climbed(ladder, now)
    write_ladder(after)
    next_at = math.max(next_at, after.next_at)
  end
  if #previous == 0 then previous = nil end
  return {
    taken_at = now, ladder = ladder or nil, next_at = next_at, previous = previous,
    slumps = slumps, spent = spent,
  }
end

-- The thing is counted as it was before; unless it was counted since.
local function give_different_back(window, claim)
  for mark = 2, #window, 2 do
    if window[mark] == step.taken_at and window[mark + 1] == claim.different then
      remove(window, mark)
      local place = 2
      if claim.previous + window[1] > now then
        while window[place] and window[place] <= claim.previous do place = place + 2 end
        table.insert(window, place, claim.different)
        table.insert(window, place, claim.previous)
      end
      return
    end
  end
end

-- Gives back what a step took.
local function give_back()
  for _, claim in ipairs(step.claims) do
    local windows = windows_of(claim)
    for j, quota in ipairs(claim.quotas) do
      if claim.different then
        give_different_back(windows[j], claim)
      else
        correct(windows[j], quota, step.taken_at, claim.amount, 0)
      end
    end
    write_windows(claim, windows)
  end
  if step.before then
    -- Another send that came after keeps its own rung.
    local ours, is = climbed(step.before, step.taken_at), read_ladder()
    if is.sends == ours.sends and is.next_at == ours.next_at then
      write_ladder(step.before)
    end
  end
end
