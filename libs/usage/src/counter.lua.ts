/** Bytes of one identity in the script's second argument: `identityOf` of @weir/events. */
export const IDENTITY_BYTES = 16;

/** The first word of the error with which the script refuses a batch because a key is not what it must be. */
export const WRONG_KEY = 'WEIRKEY';

/**
 * Dedupe and all increments of a batch, in one atomic step.
 *
 * Events that count alike are one group: one SADD of their identities says how many of them are new, and each counter
 * of the group grows by that number. So the cost is per group and per distinct counter, not per event and counter.
 *
 * Everything is checked before anything is written: a script that fails half-way is not rolled back by Redis.
 */
export const counterScript = `
-- Counts one batch of events, each identity once.
--
-- KEYS     first the sets of identities (one a day), then the sorted sets of organizations, then the counters
-- ARGV[1]  JSON:
--            seen       how many of KEYS are sets of identities
--            indexes    how many of KEYS are sorted sets of organizations
--            ttl        seconds that a set of identities is kept after its last new member
--            groups     [[set, events, counter, by, counter, by, ...], ...]: positions among the sets and among the
--                       counters, from 1; 'events' identities of ARGV[2] belong to the group
--            members    for each group the organizations to index: [index, name, index, name, ...]
-- ARGV[2]  the identities, ${IDENTITY_BYTES} bytes each, one group after the other
--
-- Returns how many of the events were new. Fails with ${WRONG_KEY}, having written nothing, when a key is of another
-- type, or a counter holds something else than a whole number of at most 18 digits.

local CHUNK = 4000 -- unpack() may put at most some 8,000 values on Lua's stack
local layout = cjson.decode(ARGV[1])
local identities = ARGV[2]
local seen, indexes = layout.seen, layout.indexes
local before = seen + indexes

local function refuse(key, found, wanted)
  return redis.error_reply('${WRONG_KEY} ' .. key .. ' holds ' .. found .. ', not ' .. wanted)
end

for i = 1, before do
  local wanted = i <= seen and 'set' or 'zset'
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= wanted and found ~= 'none' then return refuse(KEYS[i], 'a ' .. found, 'a ' .. wanted) end
end
for from = before + 1, #KEYS, CHUNK do
  local to = math.min(from + CHUNK - 1, #KEYS)
  local values = redis.call('MGET', unpack(KEYS, from, to))
  for i = from, to do
    local value = values[i - from + 1]
    if value then
      if value ~= '0' and (#value > 18 or not string.find(value, '^%-?[1-9]%d*$')) then
        return refuse(KEYS[i], 'text', 'a counter')
      end
    else -- MGET says nil for a key of another type, too
      local found = redis.call('TYPE', KEYS[i]).ok
      if found ~= 'none' then return refuse(KEYS[i], 'a ' .. found, 'a counter') end
    end
  end
end

local sub = string.sub
local sums, names, fresh, at = {}, {}, 0, 1
for g, group in ipairs(layout.groups) do
  local key, left, new = KEYS[group[1]], group[2], 0
  while left > 0 do
    local n = math.min(left, CHUNK)
    local members = {}
    for i = 1, n do
      members[i] = sub(identities, at, at + ${IDENTITY_BYTES - 1})
      at = at + ${IDENTITY_BYTES}
    end
    new = new + redis.call('SADD', key, unpack(members, 1, n))
    left = left - n
  end
  if new > 0 then
    fresh = fresh + new
    redis.call('EXPIRE', key, layout.ttl)
    for i = 3, #group, 2 do
      local counter = group[i]
      sums[counter] = (sums[counter] or 0) + new * group[i + 1]
    end
    local members = layout.members[g]
    for i = 1, #members, 2 do
      local index = members[i]
      local list = names[index]
      if not list then list = {} names[index] = list end
      list[#list + 1] = 0
      list[#list + 1] = members[i + 1]
    end
  end
end

for i = 1, #KEYS - before do
  if sums[i] then redis.call('INCRBY', KEYS[before + i], string.format('%.0f', sums[i])) end
end
for index = 1, indexes do
  local list = names[index] or {}
  for from = 1, #list, CHUNK do
    redis.call('ZADD', KEYS[seen + index], unpack(list, from, math.min(from + CHUNK - 1, #list)))
  end
end
return fresh
`;
