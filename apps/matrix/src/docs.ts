import { readFile, writeFile } from 'node:fs/promises';
import { between, markdownTable } from '@weir/testing';
import type { Row } from './judge';
import { countsOf, sequencesOf, summaryOf } from './table';

/** Puts the tables of a run between the marks of a page: `<!-- counts -->` … `<!-- /counts -->`, and `asks` likewise. */
export async function writeTables(page: string, rows: readonly Row[]): Promise<void> {
  const counts = `${markdownTable(countsOf(rows))}\n\n${summaryOf(rows)}.`;
  const text = between(await readFile(page, 'utf8'), 'counts', counts);
  const whole = between(text, 'asks', markdownTable(sequencesOf(rows)));
  await writeFile(page, whole);
}
