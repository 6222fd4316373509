import { clean, colours, type Io } from '../io';
import {
  gapsAnswer,
  queryAnswer,
  statisticsAnswer,
  type AnswerRow,
  type Gap,
  type QueryAnswer,
  type Statistic,
} from './answers';
import type { Parameters, StatsApi } from './api';
import { sparkline } from './drawing';
import { fitted, widthOf, type Column } from './layout';
import { gapNotes, notesText, stateNotes, type Note } from './notes';
import { changeFrom, quantity } from './numbers';
import { QUERY } from './pages';
import { known, NAME, nameOf } from './rows';
import { NO_STATISTICS } from './show';
import { rangeOf } from './times';

/** What there is to be seen at a glance. */
export interface Overview {
  from: string;
  to: string;
  measures: Measure[];
  tops: Top[];
  complete: boolean;
  gaps: Gap[];
  statistics: Statistic[];
}

interface Measure {
  statistic: string;
  measure: string;
  unit?: string;
  from: string;
  to: string;
  total: number;
  previous: number;
  rows: AnswerRow[];
}

interface Top {
  by: string;
  rows: AnswerRow[];
}

/** However many statistics users add, an overview stays one. */
const MOST = { statistics: 12, measures: 4 };
/** The top fives: of pulls, where it can be asked. */
const TOPS = { statistic: 'pulls', by: ['organization', 'repository', 'architecture', 'client'], top: 5 };
const AT_ONCE = 4;

export async function askOverview(api: StatsApi, range: Parameters): Promise<Overview> {
  const { statistics } = await api.ask('/v1/statistics', [], statisticsAnswer);
  const query = (parameters: Parameters) => api.ask(QUERY, [...parameters, ...range], queryAnswer);
  const measures = await mapped(measuresOf(statistics), ([statistic, measure]) => measureOf(query, statistic, measure));
  const tops = await mapped(topsOf(statistics), async (by): Promise<Top> => {
    const { rows } = await query([['statistic', TOPS.statistic], ['by', by], ['top', String(TOPS.top)]]); // prettier-ignore
    return { by, rows };
  });
  const { complete, gaps } = await api.ask('/v1/gaps', range, gapsAnswer);
  const [first] = measures;
  const { from, to } = first ?? { from: '', to: '' };
  return { from, to, measures: measures.filter(worthALine), tops, complete, gaps, statistics };
}

const measuresOf = (statistics: readonly Statistic[]): (readonly [string, string])[] =>
  [...statistics].sort(pullsFirst).slice(0, MOST.statistics).flatMap(({ name, measures }) =>
    Object.keys(measures).slice(0, MOST.measures).map((measure) => [name, measure] as const)); // prettier-ignore

const pullsFirst = (a: Statistic, b: Statistic) =>
  Number(b.name === TOPS.statistic) - Number(a.name === TOPS.statistic);

function topsOf(statistics: readonly Statistic[]): string[] {
  const groups = statistics.find(({ name }) => name === TOPS.statistic)?.groups ?? [];
  return TOPS.by.filter((dimension) => groups.some((group) => group.includes(dimension)));
}

type Query = (parameters: Parameters) => Promise<QueryAnswer>;

/** The total is of the range as closely as it is kept, so that it can be compared; its course of whole days. */
async function measureOf(query: Query, statistic: string, measure: string): Promise<Measure> {
  const asked: Parameters = [['statistic', statistic], ['measure', measure]]; // prettier-ignore
  const { from, to, unit, total, comparison } = await query([...asked, ['compare', 'previous']]);
  const { rows } = total === 0 ? { rows: [] } : await query([...asked, ['interval', 'day'], ['fill', 'zero']]);
  const previous = comparison?.total ?? 0;
  return { statistic, measure, ...(unit ? { unit } : {}), from, to, total, previous, rows };
}

/** Of each statistic the first measure, and the others where there is something. */
const worthALine = ({ statistic, total, previous }: Measure, at: number, all: readonly Measure[]): boolean =>
  total !== 0 || previous !== 0 || all[at - 1]?.statistic !== statistic;

/** In their order, some at a time. */
async function mapped<T, R>(all: readonly T[], use: (each: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let at = 0; at < all.length; at += AT_ONCE)
    done.push(...(await Promise.all(all.slice(at, at + AT_ONCE).map(use))));
  return done;
}

export function overviewText(io: Io, overview: Overview): string {
  const { measures, tops, gaps, statistics } = overview;
  if (measures.length === 0) return NO_STATISTICS;
  const notes: Note[] = [
    ...gapNotes(gaps),
    ...statistics.flatMap((each) =>
      stateNotes(each).map((note) => ({ ...note, text: `${clean(each.name, 80)}: ${note.text}` })),
    ),
  ];
  return [
    colours(io).bold(rangeOf(overview)),
    measuresText(io, overview),
    ...tops.filter(({ rows }) => rows.length > 0).map((top) => topText(io, top)),
    ...(notes.length > 0 ? [notesText(io, notes)] : []),
  ].join('\n');
}

function measuresText(io: Io, overview: Overview): string {
  const { measures } = overview;
  const paint = colours(io);
  const width = widthOf(io);
  const room = Math.min(Math.max(width - 60, 7), 40);
  const columns: Column[] = [
    { head: '', cells: measures.map(({ statistic, measure }) => labelOf(statistic, measure)), least: NAME },
    { head: 'total', cells: measures.map(({ total, unit }) => quantity(total, unit)), right: true },
    {
      head: 'change',
      cells: measures.map(({ previous, total }) => changeFrom(previous, total)),
      right: true,
      optional: true,
    },
    {
      head: 'by day',
      cells: measures.map(({ rows }) => course(overview, rows, room)),
      optional: true,
      paint: paint.cyan,
    },
  ];
  return fitted(columns, width);
}

const labelOf = (statistic: string, measure: string): string =>
  statistic === measure ? clean(statistic, 80) : `${clean(statistic, 80)} ${clean(measure, 80)}`;

function course(overview: Overview, rows: readonly AnswerRow[], width: number): string {
  const at = new Map(rows.map(({ time, value }) => [String(time), Number(value)]));
  return sparkline(known(overview, [...at.keys()], at), width);
}

function topText(io: Io, { by, rows }: Top): string {
  const paint = colours(io);
  const values = rows.map(({ value }) => Number(value));
  const columns: Column[] = [
    {
      head: `top ${by === 'repository' ? 'images' : `${by}s`}`,
      cells: rows.map((row) => nameOf(row[by])),
      least: NAME,
    },
    { head: TOPS.statistic, cells: values.map((value) => quantity(value)), right: true },
  ];
  return fitted(columns, widthOf(io), { values, paint: paint.cyan });
}
