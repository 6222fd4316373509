/** A table of Markdown as prettier writes it; the first line is the head. */
export function markdownTable(grid: readonly (readonly string[])[]): string {
  const widths = (grid[0] ?? []).map((_, column) => Math.max(3, ...grid.map((line) => line[column]?.length ?? 0)));
  const line = (texts: readonly string[]): string =>
    `| ${widths.map((width, column) => (texts[column] ?? '').padEnd(width)).join(' | ')} |`;
  const [head = [], ...lines] = grid;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...lines.map(line)].join('\n');
}

/**
 * A page with another text between two of its marks, `<!-- mark -->` and `<!-- /mark -->`.
 *
 * @throws where the marks are missing
 */
export function between(page: string, mark: string, text: string): string {
  const [begin, end] = [`<!-- ${mark} -->`, `<!-- /${mark} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page lacks the marks ${begin} and ${end}.`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}
