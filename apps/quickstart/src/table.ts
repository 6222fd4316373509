import Table from 'cli-table3';
import pc from 'picocolors';

/** A line of the table of addresses. */
export interface Row {
  /** `gateway`, `RabbitMQ`. */
  what: string;
  /** The address, without credentials. */
  where: string;
  /** How it was found: `url`, `docker`, `program`, `stand-in`, or `started` for what is Weir's own. */
  found: string;
  why: string;
}

const BORDERS = 5;
const PADDING = 2;

/** The table of addresses as text. `columns` is the width of the terminal: the last column breaks its lines to fit. */
export function renderTable(rows: readonly Row[], columns = Infinity): string {
  const widths = (['what', 'where', 'found'] as const).map(
    (name) => PADDING + Math.max(name.length, ...rows.map((row) => row[name].length)),
  );
  const rest = columns - widths.reduce((sum, width) => sum + width, BORDERS);
  const longest = PADDING + Math.max(...rows.map(({ why }) => why.length), 0);
  const table = new Table({
    head: ['what', 'where', 'found', 'why'].map((title) => pc.bold(title)),
    colWidths: [...widths, Math.max(20, Math.min(rest, longest))],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });
  for (const { what, where, found, why } of rows) table.push([what, pc.cyan(where), found, pc.dim(why)]);
  return table.toString();
}

/** An address that can be shown: no user, no password. */
export function withoutCredentials(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}
