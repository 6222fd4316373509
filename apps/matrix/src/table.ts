import Table from 'cli-table3';
import { inShort } from './asked';
import type { Row } from './judge';

/** A table as cells of text, the first row being its head. */
export type Grid = readonly (readonly string[])[];

/** What was counted: an image a line, a client a column; modes are told apart only where they differ. */
export function countsOf(rows: readonly Row[]): Grid {
  const clients = distinct(rows.map(({ client }) => client));
  const head = clients.map((client) => `${client} ${rows.find((row) => row.client === client)?.version}`);
  const lines = distinct(rows.map(({ image }) => image)).map((image) => [
    image,
    ...clients.map((client) => merged(rows.filter((row) => row.client === client && row.image === image))),
  ]);
  return [['image', ...head], ...lines];
}

/** What each client asked of a proxying gateway for the images that show how it goes about it. */
export function sequencesOf(rows: readonly Row[]): Grid {
  const shown = ['single', 'index', 'twice', 'digest', 'all-platforms', 'schema1', 'basic', 'token'];
  const proxied = rows.filter(({ mode, ok, image }) => mode === 'proxy' && ok !== null && shown.includes(image));
  const lines = proxied.map(({ client, image, asked }) => [client, image, inShort(atTheGateway(asked)).join(', ')]);
  return [['client', 'image', 'asks the gateway'], ...lines];
}

/** For a terminal. */
export function terminalTable([head = [], ...lines]: Grid): string {
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  for (const line of lines) table.push(line.map((text) => text.replaceAll('<br>', '\n')));
  return `${table.toString()}\n`;
}

export function summaryOf(rows: readonly Row[]): string {
  const count = (ok: Row['ok']): number => rows.filter((row) => row.ok === ok).length;
  return `${rows.length} cells: ${count(true)} as expected, ${count(false)} wrong, ${count(null)} that the client cannot play`;
}

function merged(rows: readonly Row[]): string {
  const texts = rows.map(textOf);
  if (distinct(texts).length === 1) return texts[0] ?? '';
  return rows.map((row, at) => `${row.mode}: ${texts[at]}`).join('<br>');
}

function textOf({ ok, seen, expected, kinds, referrers, downloads, problems }: Row): string {
  if (ok === null) return '–';
  const special = distinct(kinds.filter((kind) => kind !== 'image'));
  const parts = [
    number(seen.pulls, 'pull'),
    ...seen.arch,
    ...(seen.checks > 0 ? [number(seen.checks, 'check')] : []),
    ...(referrers > 0 ? [number(referrers, 'referrer')] : []),
    ...(downloads > 0 ? [number(downloads, 'download')] : []),
    ...special,
  ];
  const text = parts.join(', ');
  if (ok) return text;
  const wanted = [number(expected.pulls, 'pull'), number(expected.checks, 'check'), ...expected.arch].join(', ');
  return `WRONG: ${text}; expected ${wanted} (${problems.map((problem) => problem.slice(0, 80)).join('; ')})`;
}

function atTheGateway(asked: readonly string[]): string[] {
  return asked.filter((line) => !line.endsWith(')'));
}

function number(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
