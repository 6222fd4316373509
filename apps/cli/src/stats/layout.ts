import stringWidth from 'string-width';
import { table, type Io } from '../io';
import { bar } from './drawing';

/** Columns of the terminal: what COLUMNS says, what the terminal says, or 80. */
export function widthOf(io: Io): number {
  const told = Number(io.env['COLUMNS']);
  const width = Number.isSafeInteger(told) && told > 0 ? told : (io.stdout.columns ?? 80);
  return Math.min(Math.max(width, 20), 1000);
}

export interface Column {
  head: string;
  cells: readonly string[];
  right?: boolean;
  /** How narrow it may get; absent: it is shown whole. */
  least?: number;
  /** It is left out where there is no room. */
  optional?: boolean;
  paint?: (text: string) => string;
}

export interface Bars {
  values: readonly number[];
  paint: (text: string) => string;
}

const BAR = { least: 6, most: 30 };

/** A table that is no wider than the terminal, with a bar behind each row where that leaves room for one. */
export function fitted(columns: readonly Column[], width: number, bars?: Bars): string {
  const shown = [...columns];
  for (let at = shown.length - 1; at >= 0 && least(shown) > width; at -= 1)
    if (shown[at]?.optional) shown.splice(at, 1);
  const widths = shrunk(shown, width);
  const room = Math.min(width - total(widths) - PADDING, BAR.most);
  const drawn = bars && room >= BAR.least ? barsOf(bars, room) : undefined;
  const lines = (columns[0]?.cells ?? []).map((_, row) => [
    ...shown.map(({ cells, right, paint = plain }, at) => paint(padded(cells[row] ?? '', widths[at] ?? 0, right))),
    ...(drawn ? [drawn[row] ?? ''] : []),
  ]);
  const head = shown.map(({ head: text, right }, at) => padded(text, widths[at] ?? 0, right));
  return table(drawn ? [...head, ''] : head, lines);
}

const plain = (text: string) => text;

/** Left and right of every cell, and its border. */
const PADDING = 3;
const total = (widths: readonly number[]) => widths.reduce((sum, width) => sum + width + PADDING, 1);

const natural = ({ head, cells }: Column) => Math.max(...[head, ...cells].map((text) => stringWidth(text)));
const least = (columns: readonly Column[]) =>
  total(columns.map((column) => Math.min(natural(column), column.least ?? Infinity)));

/** Takes from the widest of those that may get narrower, until all have room. */
function shrunk(columns: readonly Column[], width: number): number[] {
  const widths = columns.map(natural);
  const spare = (at: number) => (widths[at] ?? 0) - (columns[at]?.least ?? Infinity);
  for (let over = total(widths) - width; over > 0; over -= 1) {
    const able = widths.map((_, at) => at).filter((at) => spare(at) > 0);
    if (able.length === 0) break;
    const widest = able.reduce((a, b) => ((widths[b] ?? 0) > (widths[a] ?? 0) ? b : a));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function barsOf({ values, paint }: Bars, width: number): string[] {
  const max = Math.max(0, ...values);
  return values.map((value) => paint(bar(value, max, width).padEnd(width)));
}

function padded(text: string, width: number, right = false): string {
  const cut = cutTo(text, width);
  const space = ' '.repeat(Math.max(0, width - stringWidth(cut)));
  return right ? space + cut : cut + space;
}

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** What of a text fits into so many columns, with `…` for the rest; characters of two columns are not halved. */
export function cutTo(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let cut = '';
  let left = width - 1;
  for (const { segment } of characters.segment(text)) {
    left -= stringWidth(segment);
    if (left < 0) break;
    cut += segment;
  }
  return width < 1 ? '' : `${cut}…`;
}

/** Lines of whole words, no longer than the terminal is wide; a word that is, is cut. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (stringWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = cutTo(word, width);
  }
  return [...lines, line];
}
