import { OTHER } from './cube/keys';

/** Bytes of one identity in the script's second argument: `identityOf` of @weir/events. */
export const IDENTITY_BYTES = 16;

/** The first word of the error with which the script refuses a batch because a key is not what it must be. */
export const WRONG_KEY = 'WEIRKEY';
/** … because somebody has stopped the counting for a moment. */
export const HELD = 'WEIRHOLD';
/** … because this is not the Redis with the counters that the worker began with. */
export const GONE = 'WEIRGONE';
/** … because other cubes are to be counted by now than when the batch was prepared. */
export const STALE = 'WEIRSTALE';

/** In the place of the list of cubes, where it is not to be compared: no version is called so. */
export const ANY_LIST = '*';

/**
 * Dedupe, all increments and all distinct members of a batch, in one atomic step.
 *
 * Events that count alike are one group: how many of them are new is found out once, and each counter of the group
 * grows by that number. So the cost is per event, plus per distinct counter; not per event and counter. The numbers in
 * cubes (cells) are counted as counters are, and written at the end: those of an hour, which add to those of its day.
 *
 * Everything is checked before anything is written: a script that fails half-way is not rolled back by Redis. What may
 * be written again without harm (names, members) is written before the identities, after which nothing comes again.
 */
export const counterScript = `
-- Counts one batch of events, each identity once.
--
-- KEYS     where the counting is guarded, the hold, the id of the store and the list of live cubes; then the sets of identities (one a day),
--          the sorted sets of organizations (one a metric) and of latest times, the HyperLogLogs of what was left out
--          (one a room), those of distinct members, the numbers of sets in each room, the counters, the buckets of
--          cubes (hours before days), and the blocks that these are in
-- ARGV[1]  the layout, one flat array of numbers in msgpack:
--            seconds that a set of identities is kept after its last new member
--            seconds that everything else is kept after it was made, 0 for as long as it says itself
--            number of sets of identities; number of sorted sets of organizations; number of those of latest times
--            number of rooms; number of sets of distinct members; how many sets a room has place for
--            number of counters; number of buckets
--            for each sorted set of organizations: number of its names
--            for each sorted set of latest times: how many it keeps; number of members; for each: the member, as a
--              position in ARGV[5]; its time, Unix milliseconds
--            for each set of distinct members: the Unix time until which it is kept; its room, from 1, or 0 when it
--              always has its place; its name; number of members; the members, each a position in ARGV
--            for each set of identities: number of its groups; for each group:
--              number of events; number of an event's amounts beside the one; all amounts, event by event
--              number of what grows by one; the positions of that: the counters from 1, the cells after them
--              for each amount: number of what grows by it; the positions of that
--            for each bucket: the Unix time until which it is kept; how many members it tells apart; number of its
--              blocks; number of cells; for each cell: the member, as a position in ARGV[5]; the position of the cell
--              of its day, or 0
-- ARGV[2]  the identities, ${IDENTITY_BYTES} bytes each, one group after the other
-- ARGV[3]  the id that the store must have; empty where the counting is not guarded
-- ARGV[4]  the list that must be there; ${ANY_LIST} for any
-- ARGV[5]  the members of cubes, one array in msgpack
-- ARGV[6…] the names, one sorted set after the other; then the names of sets and the members, in any order
--
-- Returns how many of the events were new. Fails with ${WRONG_KEY}, having written nothing, when a key is of another
-- type, or a counter holds something else than a whole number of at most 18 digits; with ${HELD} while there is a
-- hold; with ${GONE} when the store has another id or none; with ${STALE} when the list is another one.

local CHUNK = 4000 -- unpack() may put at most some 8,000 values on Lua's stack
local call, find, sub = redis.call, string.find, string.sub
local layout, at = cmsgpack.unpack(ARGV[1]), 0
local function take()
  at = at + 1
  return layout[at]
end
local seconds, keep, sets, indexes, latests = take(), take(), take(), take(), take()
local rooms, distincts, place, counters, buckets = take(), take(), take(), take(), take()
local texts = cmsgpack.unpack(ARGV[5])
local guards = ARGV[3] == '' and 0 or 3
local latest = guards + sets + indexes
local leftOut = latest + latests -- the keys before the first of its kind, as in what follows
local distinct = leftOut + rooms
local taken = distinct + distincts
local before = taken + rooms
local bucket = before + counters
local block = bucket + buckets

local function refuse(key, found, wanted)
  return redis.error_reply('${WRONG_KEY} ' .. key .. ' holds ' .. found .. ', not ' .. wanted)
end

-- Check

if guards > 0 then
  local found = call('MGET', KEYS[1], KEYS[2], KEYS[3])
  if found[1] then return redis.error_reply('${HELD} ' .. KEYS[1]) end
  if found[2] ~= ARGV[3] then return redis.error_reply('${GONE} ' .. KEYS[2]) end
  if ARGV[4] ~= '${ANY_LIST}' and (found[3] or '') ~= ARGV[4] then return redis.error_reply('${STALE} ' .. KEYS[3]) end
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
for from = taken + 1, bucket, CHUNK do
  local to = math.min(from + CHUNK - 1, bucket)
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
local sizes = {}
for i = bucket + 1, block do
  local size = redis.pcall('ZCARD', KEYS[i])
  if type(size) ~= 'number' then return refuse(KEYS[i], 'a ' .. call('TYPE', KEYS[i]).ok, 'a zset') end
  sizes[i] = size
end

-- Remember the organizations; one that is known already changes nothing

local name = 5
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

-- Remember the latest times; an earlier one changes nothing

for i = latest + 1, leftOut do
  local key, names, members = KEYS[i], take(), take()
  for from = 1, members, CHUNK / 2 do
    local scored = {}
    for n = 1, math.min(CHUNK / 2, members - from + 1) do
      scored[2 * n], scored[2 * n - 1] = texts[take()], string.format('%.0f', take())
    end
    call('ZADD', key, 'GT', unpack(scored))
  end
  local over = call('ZCARD', key) - names
  if over > 0 then call('ZREMRANGEBYRANK', key, 0, over - 1) end
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

-- Adds to the sums that the layout names next.
local function grow(by)
  local first = at + 2
  at = at + 1 + layout[at + 1]
  if by == 0 then return end
  for i = first, at do
    local sum = layout[i]
    sums[sum] = (sums[sum] or 0) + by
  end
end

for set = 1, sets do
  local known, key = fresh, KEYS[guards + set]
  for group = 1, take() do
    local events, amounts = take(), take()
    if amounts == 0 then
      local new = remember(key, events)
      fresh = fresh + new
      grow(new)
    else
      local new, totals = 0, {}
      for amount = 1, amounts do totals[amount] = 0 end
      for event = 1, events do
        if remember(key, 1) == 1 then
          new = new + 1
          for amount = 1, amounts do totals[amount] = totals[amount] + layout[at + amount] end
        end
        at = at + amounts
      end
      fresh = fresh + new
      grow(new)
      for amount = 1, amounts do grow(totals[amount]) end
    end
  end
  if fresh > known then call('EXPIRE', KEYS[guards + set], seconds) end
end

-- Count

local text = setmetatable({}, { -- most sums are small and many are equal: each is written out once
  __index = function(known, sum)
    known[sum] = string.format('%.0f', sum)
    return known[sum]
  end,
})
for i = 1, counters do
  local sum = sums[i]
  if sum then
    local value = call('INCRBY', KEYS[before + i], text[sum])
    if keep > 0 and value == sum then call('EXPIRE', KEYS[before + i], keep) end
  end
end

-- Count in the cubes

local cell = counters
for i = bucket + 1, block do
  local key, size = KEYS[i], sizes[i]
  local untilTime, names, blocks, cells = take(), take(), take(), take()
  local crowded, other, written = size + cells > names, 0, false
  for n = 1, cells do
    local member, day, sum = texts[layout[at + 1]], layout[at + 2], sums[cell + n]
    at = at + 2
    if sum and sum ~= 0 then
      if day > 0 then sums[day] = (sums[day] or 0) + sum end
      local known = not crowded or call('ZSCORE', key, member)
      if known or size < names then
        call('ZINCRBY', key, text[sum], member)
        if not known then size = size + 1 end
      else
        other = other + sum
      end
      written = true
    end
  end
  if other ~= 0 then call('ZINCRBY', key, text[other], '${OTHER}') end
  if written and sizes[i] == 0 then
    if keep > 0 then call('EXPIRE', key, keep) else call('EXPIREAT', key, untilTime) end
  end
  if written and blocks > 0 then call('UNLINK', unpack(KEYS, block + 1, block + blocks)) end
  cell, block = cell + cells, block + blocks
end
return fresh
`;
