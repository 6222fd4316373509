export { formatCounter, formatKey, isCalendarDay, METRICS, parseKey } from './keys';
export type { Metric, UsageKey } from './keys';
export { isCube, isDistinct, isKeyed, KEEP_DAYS } from './statistic';
export type {
  Cube,
  Described,
  Distinct,
  DistinctSet,
  Increment,
  Keyed,
  Measure,
  Members,
  Statistic,
  Step,
} from './statistic';
export {
  BLOCK_DAYS,
  blockKey,
  blockOf,
  bucketKey,
  formatMember,
  latestKey,
  OTHER,
  parseMember,
  RESOLUTIONS,
} from './cube/keys';
export type { BlockDays, Resolution, Series } from './cube/keys';
export { descriptionsKey, INTERVALS } from './cube/question';
export type { Answer, Cubes, Description, Interval, LatestQuestion, LatestRow, Question, Row } from './cube/question';
export { statistics } from './statistics';
export { createCounter, DataLostError, HeldError, StaleError } from './counter';
export type { Counted, Counter, CounterOptions } from './counter';
export { DEFAULT_NAMES } from './batch';
export type { CountingOptions, Plugins, Uncountable } from './batch';
export type { DistinctOptions } from './members';
export { createStoreId } from './store-id';
export type { StoreId } from './store-id';
export { takeHold } from './hold';
export type { Hold, HoldOptions } from './hold';
export { startRecount } from './recount';
export type { Recount, RecountOptions } from './recount';
export { compare, findDays } from './compare';
export type { DayFound, Drift, Sides } from './compare';
export { swap } from './swap';
export type { SwapOptions } from './swap';
export { keysBeginning, keysMatching } from './scan';
export { fillingKey, liveKey, storeKey } from './store';
export { takeLock } from './lock';
export type { Lock, LockOptions } from './lock';
export { learnLive, liveText, readLive, versionOf, versionsIn } from './fill/live';
export type { Live } from './fill/live';
export { firstDayOf, startFill } from './fill/fill';
export type { Age, Fill, FillOptions } from './fill/fill';
export type { FilledDay } from './fill/switch';
export { writeDescriptions } from './fill/describe';
export type { Failures } from './fill/describe';
export { createQueries } from './queries';
export type { OrganizationCounts, UsageAnswer, UsageQueries, UsageQuery } from './queries';
export { createFlow } from './cube/flow';
export type { Flow, FlowOptions, Gap } from './cube/flow';
export { createFlowRecorder } from './cube/flow-recorder';
export type { FlowRecorder } from './cube/flow-recorder';
export { createUniques, HLL_ERROR } from './uniques';
export type { UniqueSources, UniquesAnswer, UniquesQuery } from './uniques';
export { createCubes } from './cube/cubes';
export type { CubesOptions } from './cube/cubes';
export { QuestionError } from './cube/question-error';
export { parseTime, TIMES } from './cube/time-expression';
export { countedRange } from './cube/buckets';
export { loadStatistics, textOf } from './plugin/load';
export type { Loaded, Mistake } from './plugin/load';
