import Table from 'cli-table3';
import type { Row } from './row';

export const HEAD = ['what', 'unit', 'value', 'limit', 'ratio', 'spread', 'target', ''];

/** The rows for people at a terminal: what was missed is red. */
export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: HEAD,
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left', 'left'],
    colWidths: [48],
    wordWrap: true,
  });
  for (const row of rows) {
    const cells = cellsOf(row, '\n');
    table.push([...cells.slice(0, -1), painted(row.ok ? 32 : 31, cells.at(-1) ?? '')]);
  }
  return `${table.toString()}\n`;
}

/** One row under HEAD, for any table. */
export function cellsOf(row: Row, lineBreak: string): string[] {
  const { name, note, unit, value, limit, ratio, spread, target, ok } = row;
  return [
    note === undefined ? name : `${name}${lineBreak}(${note})`,
    unit,
    short(value),
    limit === null ? '' : short(limit),
    ratio === null ? '' : short(ratio),
    `${short(spread[0])} to ${short(spread[1])}`,
    target === null ? 'none' : `${target.is} ${target.bound}`,
    target === null && ok ? '' : ok ? 'ok' : 'missed',
  ];
}

/** Three digits that tell something: 0.71, 12.3, 45,100. */
function short(figure: number): string {
  const digits = Math.abs(figure) >= 100 ? 0 : Math.abs(figure) >= 10 ? 1 : 2;
  return figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const painted = (code: number, text: string): string => `\u001b[${code}m${text}\u001b[0m`;
