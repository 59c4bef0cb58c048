-- How many of the codes sent to a country or a range are given back. The rule is
-- that of conversion.rs, to the millisecond; a test holds the two together.
--
-- A place is kept as { cooling_until, at, sends, verified, at, sends, verified, ... }
-- with the oldest stretch first.

local HOUR, STRETCH = 3600000, 120000

local function stretch(at) return math.floor(at / STRETCH) end

-- The two of this step, country first; none where nothing is counted.
local function places()
  local all = {}
  for i, key in ipairs(step.places or {}) do
    local kept = redis.call('GET', KEYS[key])
    all[i] = { key = key, place = i, kept = kept and cmsgpack.unpack(kept) or { 0 } }
  end
  return all
end

local function write_place(part)
  local kept, over_at = part.kept, part.kept[1]
  if #kept > 1 then over_at = math.max(over_at, kept[#kept - 2] + HOUR) end
  keep(KEYS[part.key], cmsgpack.pack(kept), over_at)
end

-- So many sends count, and so many of them were given back.
local function share(kept)
  local sends, verified = 0, 0
  for mark = 2, #kept, 3 do
    if kept[mark] + HOUR > now then
      verified = verified + kept[mark + 2]
      local is_old = kept[mark] + step.rule.grace <= now
      sends = sends + kept[is_old and mark + 1 or mark + 2]
    end
  end
  return sends, verified
end

-- Whether sends may go there; those that slump cool from now on.
local function places_look()
  local slumps, waits, cooled = {}, {}, {}
  for i, part in ipairs(places()) do
    local slump
    if part.kept[1] > now then
      slump = { place = i }
    else
      local sends, verified = share(part.kept)
      if sends >= step.rule.least and verified * 100 < sends * step.rule.floor then
        slump = { place = i, found = { sends = sends, verified = verified } }
        part.kept = { now + step.rule.cooling }
        cooled[#cooled + 1] = part
      end
    end
    if slump then
      slumps[#slumps + 1] = slump
      if step.rule.enforced then waits[i] = part.kept[1] - now end
    end
  end
  return { slumps = slumps, waits = waits, cooled = cooled }
end

-- A code went there at that moment.
local function count_sent(at)
  for _, part in ipairs(places()) do
    if part.kept[1] <= now then
      local kept, place = { part.kept[1] }, nil
      for mark = 2, #part.kept, 3 do
        if part.kept[mark] + HOUR > now then
          for i = mark, mark + 2 do kept[#kept + 1] = part.kept[i] end
        end
      end
      place = 2
      while kept[place] and stretch(kept[place]) < stretch(at) do place = place + 3 end
      if kept[place] and stretch(kept[place]) == stretch(at) then
        kept[place] = math.max(kept[place], at)
        kept[place + 1] = kept[place + 1] + 1
      else
        table.insert(kept, place, 0)
        table.insert(kept, place, 1)
        table.insert(kept, place, at)
      end
      part.kept = kept
    end
    write_place(part)
  end
end

-- The codes that went there at these moments were given back.
local function count_verified(deliveries)
  for _, part in ipairs(places()) do
    local kept = part.kept
    for at in string.gmatch(deliveries, '%w+ (%d+)') do
      for mark = 2, #kept, 3 do
        if stretch(kept[mark]) == stretch(tonumber(at)) then
          kept[mark + 2] = math.min(kept[mark + 2] + 1, kept[mark + 1])
          break
        end
      end
    end
    write_place(part)
  end
end

