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
 * The worker has added up what the events do, as if all of them were new, which they nearly always are. So the cost is
 * per event for its identity alone, and per distinct number beside that. When any of them is known nothing is counted:
 * the script says which, and is called again without them.
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
--          cubes, and the blocks that these are in
-- ARGV[1]  the layout, one flat array of numbers in msgpack:
--            seconds that a set of identities is kept after its last new member
--            seconds that everything else is kept after it was made, 0 for as long as it says itself
--            number of sets of identities; number of sorted sets of organizations; number of those of latest times
--            number of rooms; number of sets of distinct members; how many sets a room has place for
--            number of counters; number of buckets
--            for each set of identities: number of identities
--            for each sorted set of organizations: number of its names
--            for each sorted set of latest times: how many it keeps; number of members; for each: the member, as a
--              position in ARGV[5]; its time, Unix milliseconds
--            for each set of distinct members: the Unix time until which it is kept; its room, from 1, or 0 when it
--              always has its place; its name; number of members; the members, each a position in ARGV
--            for each counter: by how much it grows
--            for each bucket: the Unix time until which it is kept; how many members it tells apart; number of members;
--              for each: the member, as a position in ARGV[5]; by how much it grows
-- ARGV[2]  the identities, ${IDENTITY_BYTES} bytes each, all different, one set after the other
-- ARGV[3]  the id that the store must have; empty where the counting is not guarded
-- ARGV[4]  the list that must be there; ${ANY_LIST} for any
-- ARGV[5]  the members of cubes, one array in msgpack
-- ARGV[6…] the names, one sorted set after the other; then the names of sets and the members, in any order
--
-- Returns the positions, from 1, of the identities that are known: when there is none all has been counted, otherwise
-- nothing. Fails with ${WRONG_KEY}, having written nothing, when a key is of another type, or a counter holds something
-- else than a whole number of at most 18 digits; with ${HELD} while there is a hold; with ${GONE} when the store has
-- another id or none; with ${STALE} when the list is another one.

local CHUNK = 4000 -- unpack() may put at most some 8,000 values on Lua's stack
local call, find, sub = redis.call, string.find, string.sub
local layout, at = cmsgpack.unpack(ARGV[1]), 0
local function take()
  at = at + 1
  return layout[at]
end
local seconds, keep, sets, indexes, latests = take(), take(), take(), take(), take()
local rooms, distincts, place, counters, buckets = take(), take(), take(), take(), take()
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

-- The identities of each set in chunks, and which of all are known
local chunks, known, identity = {}, {}, 0
for set = 1, sets do
  local left = take()
  while left > 0 do
    local chunk = { key = KEYS[guards + set] }
    for i = 1, math.min(left, CHUNK) do
      chunk[i] = sub(ARGV[2], identity * ${IDENTITY_BYTES} + 1, (identity + 1) * ${IDENTITY_BYTES})
      identity = identity + 1
    end
    for i, found in ipairs(call('SMISMEMBER', chunk.key, unpack(chunk))) do
      if found == 1 then table.insert(known, identity - #chunk + i) end
    end
    table.insert(chunks, chunk)
    left = left - #chunk
  end
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

local texts, name = cmsgpack.unpack(ARGV[5]), 5
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

if #known > 0 then return known end

-- Remember the identities

for _, chunk in ipairs(chunks) do
  call('SADD', chunk.key, unpack(chunk))
  call('EXPIRE', chunk.key, seconds)
end

-- Count

local text = setmetatable({}, { -- most are small and many are equal: each is written out once
  __index = function(written, number)
    written[number] = string.format('%.0f', number)
    return written[number]
  end,
})
for i = before + 1, bucket do
  local by = take()
  local value = call('INCRBY', KEYS[i], text[by])
  if keep > 0 and value == by then call('EXPIRE', KEYS[i], keep) end
end

-- Count in the cubes

for i = bucket + 1, bucket + buckets do
  local key, size = KEYS[i], sizes[i]
  local untilTime, names, members = take(), take(), take()
  local crowded, other, written = size + members > names, 0, false
  for _ = 1, members do
    local member, by = texts[layout[at + 1]], layout[at + 2]
    at = at + 2
    if by ~= 0 then
      local known = not crowded or call('ZSCORE', key, member)
      if known or size < names then
        call('ZINCRBY', key, text[by], member)
        if not known then size = size + 1 end
      else
        other = other + by
      end
      written = true
    end
  end
  if other ~= 0 then call('ZINCRBY', key, text[other], '${OTHER}') end
  if written and sizes[i] == 0 then
    if keep > 0 then call('EXPIRE', key, keep) else call('EXPIREAT', key, untilTime) end
  end
end
for from = block + 1, #KEYS, CHUNK do
  call('UNLINK', unpack(KEYS, from, math.min(from + CHUNK - 1, #KEYS)))
end
return known
`;
