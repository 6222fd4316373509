import type { Redis } from 'ioredis';
import { BLOCK_DAYS, blockKey, blockOf, bucketKey, latestKey, type Series } from '../cube/keys';
import { descriptionsKey, type Description } from '../cube/question';
import type { Hold } from '../hold';
import { runScript } from '../script';
import { KEEP_DAYS, type Cube } from '../statistic';
import { fillKey, holdKey, liveKey, seenKey, storeKey } from '../store';

export interface SwitchOptions {
  redis: Redis;
  prefix: string;
  /** What stands in front of what the filling has counted. */
  staged: string;
  hold: Hold;
  storeId: string;
  /** What must stand under {@link fillKey}. */
  job: string;
  /** The list of live cubes as it must be, and as it becomes. */
  from: string;
  to: string;
  cubes: readonly FilledCube[];
  /** The days that there may be anything of: in the filling, or of an earlier version of a cube. */
  days: readonly FilledDay[];
  descriptions: readonly Description[];
  /** How many latest times are kept, where the cube does not say itself. */
  names: number;
}

export interface FilledCube {
  cube: Cube;
  /** The first day that it was filled with; earlier ones are left as they are. */
  from: string;
}

export interface FilledDay {
  day: string;
  /** The history has everything of it; `remembered`: if it has everything that is remembered of it. */
  whole: boolean | 'remembered';
}

/**
 * Puts what a filling has counted into its place and the cubes on the list of those that are counted, in one step: all
 * of it or nothing. Of a day that the history has only the end of, what an earlier version of the cube counted stays.
 *
 * @returns false, and has changed nothing, when the hold is lost, the store or the list is another one by now
 */
export async function switchOn(options: SwitchOptions): Promise<boolean> {
  const { redis, prefix, hold, storeId, job, from, to, descriptions } = options;
  const keys = [holdKey(prefix), storeKey(prefix), fillKey(prefix), liveKey(prefix), descriptionsKey(prefix)];
  const written = descriptions.flatMap((each) => [each.name, JSON.stringify(each)]);
  const args = [hold.token, storeId, job, from, to, JSON.stringify(planOf(options)), ...written];
  return (await runScript(redis, script, keys, args)) === 'OK';
}

/** What the script is to do. Names of buckets are made there: there are thousands of them. */
function planOf({ prefix, staged, cubes, days, names }: SwitchOptions) {
  return {
    now: Math.floor(Date.now() / 1000),
    cubes: cubes.map(({ cube, from }) => ({
      from,
      keep: cube.keepDays ?? KEEP_DAYS,
      series: seriesOf(cube).map((series) => ({
        live: bucketKey(prefix, series, ''),
        staged: bucketKey(staged, series, ''),
        blocks: blockKey(prefix, series, BLOCK_DAYS[0], 0).slice(0, -`${BLOCK_DAYS[0]}:0`.length),
      })),
      latest: (cube.latest ?? []).map((group) => {
        return {
          live: latestKey(prefix, cube.name, group),
          staged: latestKey(staged, cube.name, group),
          names: cube.names ?? names,
        };
      }),
    })),
    days: days.map(({ day, whole }) => ({
      day,
      begins: Date.parse(`${day}T00:00:00Z`) / 1000,
      whole,
      seen: [seenKey(prefix, day), seenKey(staged, day)],
      blocks: BLOCK_DAYS.map((length) => `${length}:${blockOf(day, length)}`),
    })),
  };
}

/** All series that a cube has: every measure by every group, and in all. */
export function seriesOf({ name, measures, groups }: Cube): Series[] {
  return Object.keys(measures).flatMap((measure) =>
    [[], ...groups].map((group) => ({ statistic: name, measure, group })),
  );
}

/** Nothing in it can fail once the first write is done: Redis does not roll a script back. */
const script = `
-- KEYS     the hold, the id of the store, the job, the list of live cubes, the descriptions
-- ARGV     what each of the first four must hold; what the list becomes; the plan (JSON); names and descriptions

local call = redis.call
for i = 1, 4 do
  if (call('GET', KEYS[i]) or '') ~= ARGV[i] then return 'LOST' end
end
local plan = cjson.decode(ARGV[6])
local DAY = 86400

local function whole(day)
  if day.whole ~= 'remembered' then return day.whole end
  return call('SCARD', day.seen[1]) == call('SCARD', day.seen[2])
end

local suffixes = {}
for hour = 0, 23 do suffixes[hour + 1] = string.format('T%02d', hour) end

local function each(cube, day, take)
  local dayEnds, hoursEnd = day.begins + (1 + cube.keep.day) * DAY, day.begins + (1 + cube.keep.hour) * DAY
  for _, series in ipairs(cube.series) do
    local live, staged = series.live .. day.day, series.staged .. day.day
    if dayEnds > plan.now and take(live, staged, dayEnds) then return true end
    if hoursEnd > plan.now then -- what is kept no longer is not there
      for _, suffix in ipairs(suffixes) do
        if take(live .. suffix, staged .. suffix, hoursEnd) then return true end
      end
    end
  end
end

local function isThere(live) return call('EXISTS', live) == 1 end
local function replace(live, staged, untilTime)
  call('UNLINK', live)
  if call('EXISTS', staged) == 1 then
    call('RENAME', staged, live)
    call('EXPIREAT', live, untilTime)
  end
end

for _, day in ipairs(plan.days) do
  day.replaced = whole(day)
end
for _, cube in ipairs(plan.cubes) do
  for _, day in ipairs(plan.days) do
    if day.day >= cube.from and (day.replaced or not each(cube, day, isThere)) then
      each(cube, day, replace)
      for _, series in ipairs(cube.series) do
        for _, block in ipairs(day.blocks) do call('UNLINK', series.blocks .. block) end
      end
    end
  end
  for _, set in ipairs(cube.latest) do
    if call('EXISTS', set.staged) == 1 then
      call('ZUNIONSTORE', set.live, 2, set.live, set.staged, 'AGGREGATE', 'MAX')
      call('UNLINK', set.staged)
      call('ZREMRANGEBYRANK', set.live, 0, -1 - set.names)
    end
  end
end
call('SET', KEYS[4], ARGV[5])
for i = 7, #ARGV, 2 do call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
return 'OK'
`;
