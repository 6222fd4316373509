import { readFile, writeFile } from 'node:fs/promises';
import type { Row } from './judge';
import { countsOf, markdownTable, sequencesOf, summaryOf } from './table';

/** Puts the tables of a run between the marks of a page: `<!-- counts -->` … `<!-- /counts -->`, and `asks` likewise. */
export async function writeTables(page: string, rows: readonly Row[]): Promise<void> {
  const counts = `${markdownTable(countsOf(rows))}\n\n${summaryOf(rows)}.`;
  const text = between(await readFile(page, 'utf8'), 'counts', counts);
  const whole = between(text, 'asks', markdownTable(sequencesOf(rows)));
  await writeFile(page, whole);
}

/** @throws where the marks are missing */
export function between(page: string, mark: string, text: string): string {
  const [begin, end] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page lacks the marks ${begin} and ${end}.`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}
