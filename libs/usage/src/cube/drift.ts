import { DEFAULT_NAMES } from '../batch';
import type { Drift, Sides } from '../compare';
import { runScript } from '../script';
import { isCube, type Cube, type Statistic } from '../statistic';
import { OTHER } from './keys';

/** Pairs of keys in one step of Redis, which may be as large as two sets of `names` members each. */
const PAGE = 20;

/** Those of these buckets that do not hold what the recount has. */
export const bucketDrifts = (sides: Sides, keys: readonly string[]): Promise<Drift[]> =>
  inPages(keys, (page) => drifts(sides, page, compareBuckets, []));

/** Those of these sets of latest times that lack one of the recount's, or have an earlier one. */
export const latestDrifts = (sides: Sides, keys: readonly string[]): Promise<Drift[]> =>
  inPages(keys, (page) => drifts(sides, page, compareLatest, page.map((key) => String(namesOf(sides, key))))); // prettier-ignore

async function inPages(keys: readonly string[], work: (page: readonly string[]) => Promise<Drift[]>): Promise<Drift[]> {
  const found: Drift[] = [];
  for (let from = 0; from < keys.length; from += PAGE) found.push(...(await work(keys.slice(from, from + PAGE))));
  return found;
}

async function drifts({ redis, prefix, recount }: Sides, keys: readonly string[], script: string, args: string[]) {
  const pairs = keys.flatMap((key) => [prefix + key, recount + key]);
  const numbers = ((await runScript(redis, script, pairs, args)) as string[]).map(BigInt);
  return keys.map((key, at) => ({ key, expected: numbers[2 * at] ?? 0n, found: numbers[2 * at + 1] ?? 0n }));
}

/** The cube that a key is of, by its name without prefix: `weir:cube:pulls:…`. */
export function cubeOf(statistics: readonly Statistic[], key: string): Cube | undefined {
  const name = key.split(':', 3)[2];
  return statistics.filter(isCube).find((cube) => cube.name === name);
}

export const namesOf = ({ statistics, names = DEFAULT_NAMES }: Sides, key: string): number =>
  cubeOf(statistics, key)?.names ?? names;

const read = `
-- Member → score, as text; and all of it as one list. What is no sorted set is as good as empty.
local function read(key)
  local list = redis.pcall('ZRANGE', key, 0, -1, 'WITHSCORES')
  local scores = {}
  if list.err then return scores, {} end
  for i = 1, #list, 2 do scores[list[i]] = list[i + 1] end
  return scores, list
end
`;

/**
 * Of each pair: the sum that is expected, and the one that is found. When some is missing and some too much, what is
 * missing is told. Who came first in a bucket that is full depends on the order of events, which the history does not
 * have: there only names that are in both, and the sum, must be the same.
 */
const compareBuckets = `
${read}
local result = {}
for pair = 1, #KEYS, 2 do
  local live, liveList = read(KEYS[pair])
  local right, rightList = read(KEYS[pair + 1])
  local full = live['${OTHER}'] or right['${OTHER}']
  local expected, found, missing, surplus = 0, 0, 0, 0
  for i = 1, #rightList, 2 do
    local member, score = rightList[i], tonumber(rightList[i + 1])
    expected = expected + score
    local own = tonumber(live[member] or (full and score or 0))
    if member ~= '${OTHER}' then
      if own < score then missing = missing + score - own else surplus = surplus + own - score end
    end
  end
  for i = 1, #liveList, 2 do
    local member, score = liveList[i], tonumber(liveList[i + 1])
    found = found + score
    if not right[member] and not full then surplus = surplus + score end
  end
  if missing > 0 then found = expected - missing
  elseif found == expected and surplus > 0 then found = expected + surplus end
  table.insert(result, string.format('%.0f', expected))
  table.insert(result, string.format('%.0f', found))
end
return result
`;

/** Of each pair: how many times the recount has, and how many of these are in the live set, or would have no room there. */
const compareLatest = `
${read}
local result = {}
for pair = 1, #KEYS, 2 do
  local live, liveList = read(KEYS[pair])
  local _, rightList = read(KEYS[pair + 1])
  local full = #liveList / 2 >= tonumber(ARGV[(pair + 1) / 2])
  local found = 0
  for i = 1, #rightList, 2 do
    local own, time = live[rightList[i]], tonumber(rightList[i + 1])
    if own and tonumber(own) >= time or full and time <= tonumber(liveList[2]) then found = found + 1 end
  end
  table.insert(result, string.format('%.0f', #rightList / 2))
  table.insert(result, string.format('%.0f', found))
end
return result
`;
