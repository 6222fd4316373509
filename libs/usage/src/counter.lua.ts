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
--              number of events; number of runs; for each run:
--                by how much an event adds; number of counters; the counters, as positions from 1
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
  local found = call('TYPE', KEYS[i]).ok
  absent[i] = found == 'none'
  if found == 'string' then
    local judged = redis.pcall('PFADD', KEYS[i]) -- of nothing: changes nothing, and fails where it is none
    if type(judged) == 'table' then
      if not find(judged.err, 'WRONGTYPE', 1, true) then return judged end
      return refuse(KEYS[i], 'text', 'a HyperLogLog')
    end
  elseif found ~= 'none' then
    return refuse(KEYS[i], 'a ' .. found, 'a HyperLogLog')
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

-- Finds place in a room for a set that is new; where there is none its name is noted instead.
local function enter(room, name, untilTime)
  local number, others = KEYS[taken + room], KEYS[leftOut + room]
  if tonumber(call('GET', number) or 0) < place then
    call('INCRBY', number, 1)
    call('EXPIREAT', number, untilTime)
    return true
  end
  call('PFADD', others, ARGV[name])
  call('EXPIREAT', others, untilTime)
  return false
end

for set = distinct + 1, taken do
  local key, untilTime, room, name, members = KEYS[set], take(), take(), take(), take()
  if not absent[set] or room == 0 or enter(room, name, untilTime) then
    for from = at + 1, at + members, CHUNK do
      local values, to = {}, math.min(from + CHUNK - 1, at + members)
      for i = from, to do values[i - from + 1] = ARGV[layout[i]] end
      call('PFADD', key, unpack(values))
    end
    if absent[set] then call('EXPIREAT', key, untilTime) end
  end
  at = at + members
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
    for run = 1, take() do
      local by, counters = new * take(), take()
      if by ~= 0 then
        for i = at + 1, at + counters do
          local counter = layout[i]
          sums[counter] = (sums[counter] or 0) + by
        end
      end
      at = at + counters
    end
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
