import { clean, colours, type Io } from '../io';
import type { AnswerRow, Gap, QueryHead } from './answers';
import { sparkline } from './drawing';
import { fitted, widthOf, type Column } from './layout';
import { changeFrom, quantity } from './numbers';
import { startOf } from './times';

/** The narrowest that a column of names gets. */
export const NAME = 6;

/** How a value of a dimension is shown; one that is not known differs from any text by its brackets. */
export const nameOf = (value: unknown): string => (value === null || value === undefined ? '(unknown)' : clean(value));

const numberIn = (row: AnswerRow, field: string): number => (typeof row[field] === 'number' ? row[field] : 0);

/** The rows of an answer as a table: over time, by name, or, where both were asked for, a name and its course a line. */
export function rowsText(io: Io, head: QueryHead, rows: readonly AnswerRow[]): string {
  if (head.interval && head.by.length > 0) return coursesText(io, head, rows);
  const paint = colours(io);
  const values = rows.map((row) => numberIn(row, 'value'));
  const columns: Column[] = [
    ...(head.interval ? [timesOf(head, rows, paint)] : []),
    ...head.by.map((dimension) => names(dimension, rows)),
    { head: clean(head.measure, 40), cells: values.map((value) => quantity(value, head.unit)), right: true },
    ...comparedColumns(head, rows),
  ];
  return fitted(columns, widthOf(io), { values, paint: paint.cyan });
}

const names = (dimension: string, rows: readonly AnswerRow[]): Column => ({
  head: clean(dimension, 40),
  cells: rows.map((row) => nameOf(row[dimension])),
  least: NAME,
});

function timesOf(
  { interval, gaps, to }: QueryHead,
  rows: readonly AnswerRow[],
  paint: ReturnType<typeof colours>,
): Column {
  const times = rows.map(({ time }) => String(time));
  const incomplete = (at: number) => touched(gaps, times[at] ?? '', times[at + 1] ?? to);
  const cells = times.map((time, at) => `${startOf(time, interval)}${incomplete(at) ? ' ~' : ''}`);
  return { head: clean(interval, 20), cells, paint: (text) => (/~ *$/.test(text) ? paint.yellow(text) : text) };
}

/** Whether a gap lies within a time; with rows left out, within those that are not shown, too. */
export function touched(gaps: readonly Gap[], from: string, to: string): boolean {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  return gaps.some((gap) => Date.parse(gap.from) < end && Date.parse(gap.to) > start);
}

function comparedColumns({ comparison, unit }: QueryHead, rows: readonly AnswerRow[]): Column[] {
  if (!comparison) return [];
  const changes = rows.map((row) => changeFrom(numberIn(row, 'previous'), numberIn(row, 'value')));
  return [
    {
      head: 'before',
      cells: rows.map((row) => quantity(numberIn(row, 'previous'), unit)),
      right: true,
      optional: true,
    },
    { head: 'change', cells: changes, right: true },
  ];
}

interface Course {
  row: AnswerRow;
  total: number;
  at: Map<string, number>;
}

function coursesText(io: Io, head: QueryHead, rows: readonly AnswerRow[]): string {
  const times = [...new Set(rows.map(({ time }) => String(time)))];
  const courses = coursesOf(head, rows);
  const width = widthOf(io);
  const room = Math.min(Math.max(width - 50, 10), 60);
  const paint = colours(io);
  const columns: Column[] = [
    ...head.by.map((dimension) => names(dimension, courses.map(({ row }) => row))),
    { head: clean(head.measure, 40), cells: courses.map(({ total }) => quantity(total, head.unit)), right: true },
    {
      head: `by ${clean(head.interval, 20)}`,
      cells: courses.map(({ at }) => sparkline(known(head, times, at), room)),
      paint: paint.cyan,
    },
  ]; // prettier-ignore
  return fitted(columns, width);
}

/** The largest first. */
function coursesOf({ by }: QueryHead, rows: readonly AnswerRow[]): Course[] {
  const courses = new Map<string, Course>();
  for (const row of rows) {
    const key = JSON.stringify(by.map((dimension) => row[dimension] ?? null));
    const course = courses.get(key) ?? { row, total: 0, at: new Map<string, number>() };
    courses.set(key, course);
    course.total += numberIn(row, 'value');
    course.at.set(String(row['time']), numberIn(row, 'value'));
  }
  return [...courses.values()].sort((a, b) => b.total - a.total);
}

/** The numbers at these times; where a gap is and nothing was counted, nothing is known. */
export function known(
  head: Pick<QueryHead, 'gaps' | 'to'>,
  times: readonly string[],
  at: ReadonlyMap<string, number>,
): (number | null)[] {
  return times.map((time, index) => {
    const value = at.get(time) ?? 0;
    return value === 0 && touched(head.gaps, time, times[index + 1] ?? head.to) ? null : value;
  });
}
