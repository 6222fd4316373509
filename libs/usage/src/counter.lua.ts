/** Bytes of one identity in the script's second argument: `identityOf` of @weir/events. */
export const IDENTITY_BYTES = 16;

/** The first word of the error with which the script refuses a batch because a key is not what it must be. */
export const WRONG_KEY = 'WEIRKEY';
/** … because somebody has stopped the counting for a moment. */
export const HELD = 'WEIRHOLD';
/** … because this is not the Redis with the counters that the worker began with. */
export const GONE = 'WEIRGONE';

/**
 * Dedupe, all increments and all distinct members of a batch, in one atomic step.
 *
 * Events that count alike are one group: how many of them are new is found out once, and each counter of the group
 * grows by that number. So the cost is per event, plus per distinct counter; not per event and counter.
 *
 * Everything is checked before anything is written: a script that fails half-way is not rolled back by Redis. What may
 * be written again without harm (names, members) is written before the identities, after which nothing comes again.
 */
export const counterScript = `
-- Counts one batch of events, each identity once.
--
-- KEYS     where the counting is guarded, the hold and the id of the store; then the sets of identities (one a day),
--          the sorted sets of organizations (one a metric), the HyperLogLogs of what was left out (one a room), those of
--          distinct members, the numbers of sets in each room, and the counters
-- ARGV[1]  the layout, one flat array of numbers in msgpack:
--            seconds that a set of identities is kept after its last new member
--            seconds that counters and sorted sets are kept after they were made, 0 for ever
--            number of sets of identities; number of sorted sets of organizations
--            number of rooms; number of sets of distinct members; how many sets a room has place for
--            for each sorted set: number of its names
--            for each set of distinct members: the Unix time until which it is kept; its room, from 1, or 0 when it
--              always has its place; its name; number of members; the members, each a position in ARGV
--            for each set of identities: number of its groups; for each group:
--              number of events; number of counters; the counters, as positions from 1
-- ARGV[2]  the identities, ${IDENTITY_BYTES} bytes each, one group after the other
-- ARGV[3]  the id that the store must have; empty where the counting is not guarded
-- ARGV[4…] the names, one sorted set after the other; then the names of sets and the members, in any order
--
-- Returns how many of the events were new. Fails with ${WRONG_KEY}, having written nothing, when a key is of another
-- type, or a counter holds something else than a whole number of at most 18 digits; with ${HELD} while there is a
-- hold; with ${GONE} when the store has another id or none.

local CHUNK = 4000 -- unpack() may put at most some 8,000 values on Lua's stack
local call, find, sub = redis.call, string.find, string.sub
local layout, at = cmsgpack.unpack(ARGV[1]), 0
local function take()
  at = at + 1
  return layout[at]
end
local seconds, keep, sets, indexes, rooms, distincts, place = take(), take(), take(), take(), take(), take(), take()
local guards = ARGV[3] == '' and 0 or 2
local leftOut = guards + sets + indexes -- the keys before the first of its kind, as in what follows
local distinct = leftOut + rooms
local taken = distinct + distincts
local before = taken + rooms

local function refuse(key, found, wanted)
  return redis.error_reply('${WRONG_KEY} ' .. key .. ' holds ' .. found .. ', not ' .. wanted)
end

-- Check

if guards > 0 then
  local found = call('MGET', KEYS[1], KEYS[2])
  if found[1] then return redis.error_reply('${HELD} ' .. KEYS[1]) end
  if found[2] ~= ARGV[3] then return redis.error_reply('${GONE} ' .. KEYS[2]) end
end
for i = guards + 1, leftOut do
  local wanted = i <= guards + sets and 'set' or 'zset'
  local found = call('TYPE', KEYS[i]).ok
  if found ~= wanted and found ~= 'none' then return refuse(KEYS[i], 'a ' .. found, 'a ' .. wanted) end
end
local absent = {}
for i = leftOut + 1, taken do
  local begins = redis.pcall('GETRANGE', KEYS[i], 0, 3) -- all that it says is a string, and the one of no key is empty
  if begins ~= 'HYLL' then
    local found = call('TYPE', KEYS[i]).ok
    if found ~= 'none' then return refuse(KEYS[i], found == 'string' and 'text' or 'a ' .. found, 'a HyperLogLog') end
    absent[i] = true
  end
end
for from = taken + 1, #KEYS, CHUNK do
  local to = math.min(from + CHUNK - 1, #KEYS)
  local values = call('MGET', unpack(KEYS, from, to))
  for i = from, to do
    local value = values[i - from + 1]
    if value then
      if value ~= '0' and (#value > 18 or not find(value, '^%-?[1-9]%d*$')) then
        return refuse(KEYS[i], 'text, or a number of more than 18 digits', 'a counter')
      end
    else -- MGET says nil for a key of another type, too
      local found = call('TYPE', KEYS[i]).ok
      if found ~= 'none' then return refuse(KEYS[i], 'a ' .. found, 'a counter') end
    end
  end
end

-- Remember the organizations; one that is known already changes nothing

local name = 3
for index = 1, indexes do
  local left, key = take(), KEYS[guards + sets + index]
  while left > 0 do
    local n = math.min(left, CHUNK / 2)
    local scored = {}
    for i = 1, n do
      scored[2 * i - 1] = 0
      scored[2 * i] = ARGV[name + i]
    end
    call('ZADD', key, unpack(scored))
    name, left = name + n, left - n
  end
  if keep > 0 then call('EXPIRE', key, keep, 'NX') end
end

-- Add the members to their sets; those that are in already change nothing

-- Adds texts of ARGV, whose positions stand in a table between two indexes.
local function add(key, positions, first, last)
  for from = first, last, CHUNK do
    local values, to = {}, math.min(from + CHUNK - 1, last)
    for i = from, to do values[i - from + 1] = ARGV[positions[i]] end
    call('PFADD', key, unpack(values))
  end
end

local number, others, ends = {}, {}, {} -- of each room: how many sets it has; what there is no place for; its end
for room = 1, rooms do
  number[room], others[room] = tonumber(call('GET', KEYS[taken + room]) or 0), {}
end
for set = distinct + 1, taken do
  local untilTime, room, name, members = take(), take(), take(), take()
  ends[room] = untilTime
  if absent[set] and room > 0 and number[room] >= place then
    table.insert(others[room], name)
  else
    add(KEYS[set], layout, at + 1, at + members)
    if absent[set] then
      call('EXPIREAT', KEYS[set], untilTime)
      if room > 0 then number[room] = call('INCRBY', KEYS[taken + room], 1) end
    end
  end
  at = at + members
end
for room = 1, rooms do
  if number[room] > 0 then call('EXPIREAT', KEYS[taken + room], ends[room]) end
  if #others[room] > 0 then
    add(KEYS[leftOut + room], others[room], 1, #others[room])
    call('EXPIREAT', KEYS[leftOut + room], ends[room])
  end
end

-- Find out what is new, remember it, and add it up

local identities, identity = ARGV[2], 1
local sums, fresh = {}, 0

-- Remembers those of a group's identities that are new, and says how many that were.
local function remember(set, events)
  if events == 1 then
    local member = sub(identities, identity, identity + ${IDENTITY_BYTES - 1})
    identity = identity + ${IDENTITY_BYTES}
    return call('SADD', set, member)
  end
  local new = 0
  while events > 0 do
    local n = math.min(events, CHUNK)
    local members = {}
    for i = 1, n do
      members[i] = sub(identities, identity, identity + ${IDENTITY_BYTES - 1})
      identity = identity + ${IDENTITY_BYTES}
    end
    new, events = new + call('SADD', set, unpack(members)), events - n
  end
  return new
end

for set = 1, sets do
  local known = fresh
  for group = 1, take() do
    local new = remember(KEYS[guards + set], take())
    fresh = fresh + new
    local counters = take()
    if new > 0 then
      for i = at + 1, at + counters do
        local counter = layout[i]
        sums[counter] = (sums[counter] or 0) + new
      end
    end
    at = at + counters
  end
  if fresh > known then call('EXPIRE', KEYS[guards + set], seconds) end
end

-- Count

local text = {} -- most sums are small and many are equal: each is written out once
for i = 1, #KEYS - before do
  local sum = sums[i]
  if sum then
    text[sum] = text[sum] or string.format('%.0f', sum)
    local value = call('INCRBY', KEYS[before + i], text[sum])
    if keep > 0 and value == sum then call('EXPIRE', KEYS[before + i], keep) end
  end
end
return fresh
`;
