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

/** The table of addresses as text, as wide as it needs to be. */
export function renderTable(rows: readonly Row[]): string {
  const table = new Table({
    head: ['what', 'where', 'found', 'why'].map((title) => pc.bold(title)),
    style: { head: [], border: [], compact: true },
  });
  for (const { what, where, found, why } of rows) table.push([what, pc.cyan(where), found, pc.dim(why)]);
  return table.toString();
}

/** An address that can be shown: no user, no password. */
export function withoutCredentials(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}
