import Table from 'cli-table3';
import type { Row } from './case';

/** The rows for people. */
export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ['case', 'what', 'issued', 'acked', 'usage', 'redis', 'influx', 'mongo', 'lost', 'dup', 'unknown', 'recovery', 'lag', ''],
    style: { head: [], border: [] },
    colWidths: [10, 44],
    wordWrap: true,
  }); // prettier-ignore
  for (const row of rows) {
    const { redis, influx, mongo } = row.applied;
    table.push([
      row.case,
      row.ok || row.note === undefined ? row.title : `${row.title}\n${row.note}`,
      row.issued,
      row.acknowledged,
      row.usage,
      redis,
      influx,
      mongo,
      row.lost,
      row.duplicated,
      row.unknown,
      row.recoverySeconds === null ? 'never' : `${row.recoverySeconds} s`,
      row.otherStoresLagSeconds === undefined ? '' : `${row.otherStoresLagSeconds} s`,
      row.ok ? 'ok' : 'BREACH',
    ]);
  }
  return `${table.toString()}\n`;
}
