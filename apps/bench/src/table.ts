import Table from 'cli-table3';
import type { Row } from './row';

/** The rows for people. */
export function tableOf(rows: readonly Row[], colours: boolean): string {
  const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const table = new Table({
    head: ['what', 'unit', 'value', 'limit', 'ratio', 'spread', 'target', ''],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left', 'left'],
    colWidths: [48],
    wordWrap: true,
  });
  for (const row of rows) {
    const { name, note, unit, value, limit, ratio, spread, target, ok } = row;
    table.push([
      note === undefined ? name : `${name}\n${note}`,
      unit,
      short(value),
      limit === null ? '' : short(limit),
      ratio === null ? '' : short(ratio),
      `${short(spread[0])} to ${short(spread[1])}`,
      target === null ? 'for comparison' : `${target.is} ${target.bound}`,
      target === null && ok ? '' : ok ? paint(32, 'ok') : paint(31, 'MISSED'),
    ]);
  }
  return `${table.toString()}\n`;
}

/** Three digits that tell something: 0.71, 12.3, 45,100. */
export function short(figure: number): string {
  const digits = Math.abs(figure) >= 100 ? 0 : Math.abs(figure) >= 10 ? 1 : 2;
  return figure.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
