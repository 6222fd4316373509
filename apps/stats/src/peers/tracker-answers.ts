import type { Cubes, Description, Question, Row } from '@weir/usage';
import { keptSince } from './kept';
import type { Entity, Range } from './tracker-question';

/** The statistic that the tracker's questions are asked of (seed 002). */
const STATISTIC = 'audit';
/** Its measures that add up to all messages: each message is one of these. */
const MESSAGES = ['accesses', 'creates', 'updates', 'truncates', 'deletes', 'metadataChanges'] as const;
/** What the peer ranks as datasets. */
const DATASETS = ['dataset', 'stream'] as const;
/** How many datasets of a type are ranked, by what is read and by what is written; the peer takes a thousand. */
const MAX_DATASETS = 10_000;
const ENTITY = ['namespace', 'entityType', 'entityName'] as const;
/** Actions of which the peer tells how long ago they were. */
const TIMED = ['read', 'write', 'unknown', 'truncate', 'update', 'metadata_change'];
const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];

export interface TopDataset {
  entityName: string;
  entityType: string;
  read: number;
  write: number;
}

export interface TopProgram {
  entityName: string;
  application: string;
  /** Where the accessor said it. */
  programType?: string;
  value: number;
}

export interface TopApplication {
  entityName: string;
  value: number;
}

export interface Histogram {
  /** Starts of the buckets that have something, Unix seconds, the oldest first. */
  results: readonly { timestamp: number; value: number }[];
  bucketInterval: 'HOUR' | 'DAY';
}

/** The tracker's answers for one namespace. Where nothing has been counted they are empty. */
export interface TrackerAnswers {
  topDatasets(namespace: string, range: Range, limit: number): Promise<TopDataset[]>;
  topPrograms(namespace: string, range: Range, limit: number, entity?: Entity): Promise<TopProgram[]>;
  topApplications(namespace: string, range: Range, limit: number, entity?: Entity): Promise<TopApplication[]>;
  /** Action → how many seconds ago it was last seen. */
  timeSince(namespace: string, entity: Entity): Promise<Record<string, number>>;
  histogram(namespace: string, range: Range, entity?: Entity): Promise<Histogram>;
}

export function createTrackerAnswers({ cubes, now }: { cubes: Cubes; now: () => number }): TrackerAnswers {
  async function topDatasets(namespace: string, range: Range, limit: number): Promise<TopDataset[]> {
    const window = await windowOf(range);
    const found = new Map<string, TopDataset>();
    for (const entityType of DATASETS) {
      const filters = { namespace, entityType };
      // Whatever was touched is ranked, though the third does not count: the peer does so.
      for (const [measure, column] of [['reads', 'read'], ['writes', 'write'], ['unknowns', undefined]] as const) {
        const top = MAX_DATASETS;
        for await (const { values: [entityName], value } of rowsOf({ ...window, measure, by: ['entityName'], filters, top })) {
          if (!entityName) continue;
          const key = `${entityType} ${entityName}`;
          const dataset = found.get(key) ?? { entityName, entityType, read: 0, write: 0 };
          if (column !== undefined) dataset[column] += value;
          found.set(key, dataset);
        }
      }
    }
    const touched = (dataset: TopDataset) => dataset.read + dataset.write;
    return [...found.values()].sort((one, other) => touched(other) - touched(one)).slice(0, limit);
  } // prettier-ignore

  async function topPrograms(namespace: string, range: Range, limit: number, entity?: Entity): Promise<TopProgram[]> {
    const question = {
      measure: 'accesses',
      by: ['application', 'program', 'programType'],
      filters: { namespace, ...entity },
    };
    const programs: TopProgram[] = [];
    for await (const { values, value } of rowsOf({ ...(await windowOf(range)), ...question })) {
      const [application, program, programType] = values;
      if (!application || !program) continue;
      programs.push({ entityName: program, application, ...(programType ? { programType } : {}), value });
      if (programs.length === limit) break;
    }
    return programs;
  }

  async function topApplications(namespace: string, range: Range, limit: number, entity?: Entity) {
    const question = { measure: 'accesses', by: ['application'], filters: { namespace, ...entity } };
    const applications: TopApplication[] = [];
    for await (const { values, value } of rowsOf({ ...(await windowOf(range)), ...question })) {
      const [application] = values;
      if (application) applications.push({ entityName: application, value });
      if (applications.length === limit) break;
    }
    return applications;
  }

  async function timeSince(namespace: string, entity: Entity): Promise<Record<string, number>> {
    const limit = (await description())?.names;
    if (limit === undefined) return {};
    const since: Record<string, number> = {};
    const rows = await cubes.latest({ statistic: STATISTIC, group: [...ENTITY, 'action'], filters: {}, limit });
    for (const { values, time } of rows) {
      const action = values.at(-1) ?? '';
      const asked = [namespace, entity.entityType, entity.entityName];
      // To the peer, names that differ in capitals only are one here; the latest comes first.
      if (!asked.every((name, at) => isSameName(name, values[at])) || !TIMED.includes(action)) continue;
      since[action] ??= Math.max(Math.floor(now() / 1000) - Math.floor(time / 1000), 0);
    }
    return since;
  }

  async function histogram(namespace: string, range: Range, entity?: Entity): Promise<Histogram> {
    const { interval, ...window } = await bucketsOf(range);
    const values = new Map<number, number>();
    for (const measure of MESSAGES) {
      const question = { ...window, measure, interval, by: [], filters: { namespace, ...entity } };
      for await (const { time = 0, value } of rowsOf(question)) values.set(time, (values.get(time) ?? 0) + value);
    }
    const results = [...values]
      .sort(([one], [other]) => one - other)
      .map(([time, value]) => ({ timestamp: time / 1000, value }));
    return { results, bucketInterval: results.length === 0 || interval === 'day' ? 'DAY' : 'HOUR' };
  }

  async function description(): Promise<Description | undefined> {
    return (await cubes.statistics()).find(({ name }) => name === STATISTIC);
  }

  /** What is kept of a range; half-open and in milliseconds, as cubes are asked. Empty where nothing is kept. */
  async function windowOf({ start, end }: Range): Promise<Window> {
    const keepDays = (await description())?.keepDays.day;
    if (keepDays === undefined) return { from: 0, to: 0 };
    // Nothing is older than this, and little comes from the future: clients ask from 0 on, and in milliseconds.
    return { from: Math.max(start * 1000, keptSince(keepDays, now())), to: Math.min((end + 1) * 1000, now() + DAY_MS) };
  }

  /**
   * The buckets whose starts lie in a range, both ends included: days when it is longer than six of them, or older than
   * hours are kept for (the peer keeps them for ever), otherwise hours (reference usage-metrics 2.4).
   */
  async function bucketsOf(range: Range): Promise<Window & { interval: 'hour' | 'day' }> {
    const keepDays = (await description())?.keepDays ?? { hour: 0, day: 0 };
    const hours = range.end - range.start <= 6 * 86_400 && range.start * 1000 >= keptSince(keepDays.hour, now());
    const length = hours ? HOUR_MS : DAY_MS;
    const { from, to } = await windowOf(range);
    return {
      interval: hours ? 'hour' : 'day',
      from: Math.ceil(from / length) * length,
      to: Math.floor((to - 1) / length) * length + length,
    };
  }

  async function* rowsOf(question: Pick<Question, 'measure' | 'by' | 'filters' | 'from' | 'to' | 'interval' | 'top'>): AsyncGenerator<Row> {
    if (question.from >= question.to) return;
    const { rows } = await cubes.ask({ statistic: STATISTIC, fill: false, ...question });
    for await (const page of rows) yield* page;
  } // prettier-ignore

  return { topDatasets, topPrograms, topApplications, timeSince, histogram };
}

interface Window {
  from: number;
  to: number;
}

function isSameName(one: string, other: string | null | undefined): boolean {
  return one.toLowerCase() === other?.toLowerCase();
}
