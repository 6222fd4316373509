import type { DayFound, Drift, Sides } from './compare';
import { cubeOf, namesOf } from './cube/drift';
import { BLOCK_DAYS, blockOf, type Resolution } from './cube/keys';
import type { Hold } from './hold';
import { nameReader } from './name';
import { runScript } from './script';
import { KEEP_DAYS } from './statistic';
import { newRebuiltId } from './store-id';
import { fillKey, holdKey, keptUntil, liveKey, seenKey, storeKey } from './store';

export interface SwapOptions {
  sides: Sides;
  hold: Hold;
  days: readonly DayFound[];
  drifts: readonly Drift[];
  /** How long identities are remembered from now on, as the redis-worker is told (DEDUPE_DAYS). */
  dedupeSeconds: number;
  /** The list of live cubes as it was when the recount began, and as it is to be: those that were recounted. */
  live?: { from: string; to: string };
}

/** What the script is to do: names of keys as they are in Redis. */
interface Plan {
  /** Key and value, one after the other. */
  set: string[];
  delete: string[];
  /** Live and recounted sets of identities, one after the other: the second takes the place of the first. */
  replace: string[];
  /** Live and recounted indexes, one after the other: the first gets what the second has more. */
  merge: string[];
  /** Live and recounted buckets of cubes, and the Unix times until which they are kept. */
  buckets: (string | number)[];
  /** Live and recounted sets of latest times, and how many are kept. */
  latest: (string | number)[];
}

/**
 * Puts what the recount found into the place of what is live: everything, or nothing at all. A process that is killed
 * before, after or meanwhile leaves one of the two. A Redis that has lost its id gets one that tells the workers to go
 * on.
 *
 * @throws Error when the hold is no longer ours, or other cubes are counted by now; nothing was changed then
 */
export async function swap({ sides, hold, days, drifts, dedupeSeconds, live }: SwapOptions): Promise<void> {
  const { redis, prefix } = sides;
  const plan = JSON.stringify(planOf(sides, days, drifts));
  const args = [hold.token, newRebuiltId(), String(dedupeSeconds), plan, ...(live ? [live.from, live.to] : [])];
  const keys = [holdKey(prefix), storeKey(prefix), liveKey(prefix), fillKey(prefix)];
  try {
    await runScript(redis, swapScript, keys, args);
  } catch (error) {
    if (!(error as Error).message.startsWith(LOST)) throw error;
    throw new Error(
      'the hold on the counters was lost, or a statistic has joined them, before they were replaced: nothing was changed, try again',
      {
        cause: error,
      },
    );
  }
}

function planOf(sides: Sides, days: readonly DayFound[], drifts: readonly Drift[]): Plan {
  const { prefix, recount, statistics } = sides;
  const read = nameReader(statistics);
  const plan: Plan = { set: [], delete: [], replace: [], merge: [], buckets: [], latest: [] };
  for (const { key, expected } of drifts) {
    const name = read(key);
    const { kind } = name;
    if (name.kind === 'bucket') {
      const until = keptUntil(name.day, keepDaysOf(sides, key, name.resolution));
      plan.buckets.push(prefix + key, recount + key, until);
      if (name.resolution === 'day')
        plan.delete.push(...blocksOf(name.series, name.day).map((block) => prefix + block));
    }
    if (kind === 'latest') plan.latest.push(prefix + key, recount + key, namesOf(sides, key));
    if (kind === 'organizations') plan.merge.push(prefix + key, recount + key);
    if (kind !== 'counter') continue;
    if (expected === 0n) plan.delete.push(prefix + key);
    else plan.set.push(prefix + key, String(expected));
  }
  for (const { day, counted, recounted, common } of days) {
    if (recounted > 0 && (counted !== recounted || common !== counted)) {
      plan.replace.push(seenKey(prefix, day), seenKey(recount, day));
    }
  }
  return plan;
}

const keepDaysOf = ({ statistics }: Sides, key: string, resolution: Resolution): number =>
  (cubeOf(statistics, key)?.keepDays ?? KEEP_DAYS)[resolution];

/** The unions that a day of a series is in, without prefix. */
const blocksOf = (series: string, day: string): string[] =>
  BLOCK_DAYS.map((length) => `weir:cube-block:${series}:${length}:${blockOf(day, length)}`);

const LOST = 'WEIRLOST';

/**
 * Nothing in it can fail once the first write is done: Redis does not roll a script back. What may be refused for want
 * of memory (whether it is, is settled when a script begins) comes first. The keys of the plan are not declared, because
 * there may be more than a command can have; on a Cluster they lie in the slot of the declared ones, as their prefix
 * makes them.
 */
const swapScript = `
-- KEYS     the hold, the id of the store, the list of live cubes, the job of a filling
-- ARGV     what the hold must say, an id for a store that has none, seconds that identities are kept, the plan (JSON);
--          the list as it must be and as it becomes, where it is to be looked at

local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('${LOST} ' .. KEYS[1]) end
local plan = cjson.decode(ARGV[4])
for i = 2, #plan.replace, 2 do
  if call('TYPE', plan.replace[i]).ok ~= 'set' then return redis.error_reply('${LOST} ' .. plan.replace[i]) end
end
local begun = call('SET', KEYS[2], ARGV[2], 'NX')
if ARGV[5] then
  local list = call('GET', KEYS[3]) or ''
  if not begun and list ~= ARGV[5] and list ~= ARGV[6] then return redis.error_reply('${LOST} ' .. KEYS[3]) end
  call('SET', KEYS[3], ARGV[6])
end
-- What a filling has left out because it was not known may be known now: it begins anew.
if #plan.replace > 0 then call('UNLINK', KEYS[4]) end
for i = 1, #plan.set, 2 do call('SET', plan.set[i], plan.set[i + 1]) end
for i = 1, #plan.merge, 2 do
  local live = plan.merge[i]
  local found = call('TYPE', live).ok
  if found ~= 'zset' then call('UNLINK', live) end
  call('ZUNIONSTORE', live, 2, live, plan.merge[i + 1], 'AGGREGATE', 'MIN')
end
for i = 1, #plan.replace, 2 do
  call('UNLINK', plan.replace[i]) -- in the background; RENAME would free a large set here and now
  call('RENAME', plan.replace[i + 1], plan.replace[i])
  call('EXPIRE', plan.replace[i], ARGV[3])
end
for i = 1, #plan.buckets, 3 do
  local live, right = plan.buckets[i], plan.buckets[i + 1]
  call('UNLINK', live)
  if call('EXISTS', right) == 1 then
    call('RENAME', right, live)
    call('EXPIREAT', live, plan.buckets[i + 2])
  end
end
for i = 1, #plan.latest, 3 do
  local live = plan.latest[i]
  if call('TYPE', live).ok ~= 'zset' then call('UNLINK', live) end
  call('ZUNIONSTORE', live, 2, live, plan.latest[i + 1], 'AGGREGATE', 'MAX')
  call('ZREMRANGEBYRANK', live, 0, -1 - plan.latest[i + 2])
end
for i = 1, #plan.delete do call('UNLINK', plan.delete[i]) end
return 'OK'
`;
