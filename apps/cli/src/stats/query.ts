import { forPeople, type Io } from '../io';
import type { AnswerRow, QueryHead } from './answers';
import type { Parameters, StatsApi } from './api';
import { writeJson, writeRows, type Format } from './export';
import { notesOf, notesText } from './notes';
import { askPages } from './pages';
import { rowsText } from './rows';
import { apiOf, show, wrongUsage, type Shown } from './show';

/** A question to one statistic, in the words of the command line, and how its answer is shown. */
export interface QueryOptions extends Shown {
  measure?: string;
  from?: string;
  to?: string;
  interval?: string;
  by?: string;
  top?: number;
  weekday?: string;
  where?: (readonly [string, string])[];
  compare?: string;
  fill?: boolean;
  limit?: number;
  csv?: boolean;
  ndjson?: boolean;
}

/** Rows that a person is shown unless told: without and with intervals. */
export const SCREENFUL = 50;
export const COURSE = 1000;
/** A table is in memory as a whole. */
const MOST_IN_TABLE = 10_000;
/** Names whose course is shown, where nothing else is asked for: a line each. */
const COURSES = 10;

/** Asks a statistic and shows the answer: rows as the API writes them, JSON while it comes, or a table. */
export async function query(io: Io, statistic: string, options: QueryOptions): Promise<void> {
  const format = formatOf(options);
  const api = apiOf(io, options);
  const people = forPeople(io, options) && format === undefined;
  const parameters = parametersOf(statistic, options, people);
  if (format !== undefined) return rowsOut(io, api, format, parameters, options.limit ?? Infinity);
  if (!people && options.watch === undefined)
    return writeJson(io, await askPages(api, parameters, options.limit ?? Infinity));
  const wanted = options.limit ?? (options.interval === undefined ? SCREENFUL : COURSE);
  await show(io, options, () => whole(api, parameters, Math.min(wanted, MOST_IN_TABLE)), {
    text: (found) => text(io, found),
    json: ({ head, rows, more }) => ({ ...head, rows, more }),
  });
}

function formatOf({ csv, ndjson, json, watch }: QueryOptions): Format | undefined {
  if ([csv, ndjson, json].filter(Boolean).length > 1) throw wrongUsage('--json, --csv and --ndjson exclude each other');
  const format = csv ? 'csv' : ndjson ? 'ndjson' : undefined;
  if (format && watch !== undefined) throw wrongUsage(`--watch shows tables or JSON: not --${format}`);
  return format;
}

/** On a terminal the course of a name is a line, which needs each interval, and not of every name there is. */
function parametersOf(statistic: string, options: QueryOptions, people: boolean): Parameters {
  const { measure, from, to, interval, by, weekday, compare } = options;
  const course = people && interval !== undefined;
  const top = options.top ?? (course && by !== undefined ? COURSES : undefined);
  return [
    ['statistic', statistic],
    ['measure', measure],
    ['from', from],
    ['to', to],
    ['interval', interval],
    ['by', by],
    ['top', top === undefined ? undefined : String(top)],
    ['weekday', weekday],
    ['compare', compare],
    ['fill', options.fill || course ? 'zero' : undefined],
    ...(options.where ?? []),
  ];
}

async function rowsOut(io: Io, api: StatsApi, format: Format, parameters: Parameters, limit: number): Promise<void> {
  const more = await writeRows(io, api, format, parameters, limit);
  if (more) io.stderr.write('weir: there may be more rows (--limit)\n');
}

interface Whole {
  head: QueryHead;
  rows: AnswerRow[];
  more: boolean;
}

async function whole(api: StatsApi, parameters: Parameters, limit: number): Promise<Whole> {
  const { head, rows: pages, more } = await askPages(api, parameters, limit);
  const rows: AnswerRow[] = [];
  for await (const page of pages) rows.push(...page);
  return { head, rows, more: more() };
}

function text(io: Io, { head, rows, more }: Whole): string {
  const notes = notesOf(head);
  if (more) notes.unshift({ text: '… and more (--limit, --top)' });
  const shown = rows.length > 0 && (head.interval || head.by.length > 0);
  return [...(shown ? [rowsText(io, head, rows)] : []), notesText(io, notes)].join('\n');
}
