import { readFile, writeFile } from 'node:fs/promises';
import { between, markdownTable } from '@weir/testing';
import type { Row } from './row';
import { cellsOf, HEAD } from './table';

/** Puts the table of a run between the marks `<!-- figures -->` and `<!-- /figures -->` of a page. */
export async function writeTable(page: string, rows: readonly Row[]): Promise<void> {
  const table = markdownTable([HEAD, ...rows.map((row) => cellsOf(row, '<br>'))]);
  await writeFile(page, between(await readFile(page, 'utf8'), 'figures', table));
}
