import { identifier, ServerError } from './server';
import type { Server } from './server';

/**
 * What to tell people when the database does not keep its points for as many days as is configured; undefined when it
 * does, and for 0, which leaves everything as it is. Nothing is changed: a shorter retention deletes what is there.
 */
export async function otherRetention(server: Server, database: string, days: number): Promise<string | undefined> {
  if (days === 0) return undefined;
  if (server.major >= 2) {
    const how = server.major === 2 ? `: influx bucket update --id <id> --retention ${days * 24}h` : '';
    return `INFLUX_RETENTION_DAYS is for databases that the worker makes, on 1.x; set the retention of '${database}' on the server${how}`;
  }
  const found = await defaultPolicy(server, database);
  if (found === undefined) return `how long '${database}' keeps its points could not be asked`;
  if (found.hours === days * 24) return undefined;
  const keeps = found.hours === 0 ? 'for ever' : `for ${found.hours / 24} days`;
  const statement = `ALTER RETENTION POLICY ${identifier(found.name)} ON ${identifier(database)} DURATION ${days}d`;
  return `'${database}' keeps its points ${keeps}, INFLUX_RETENTION_DAYS is ${days}: nothing was changed; to do so: ${statement}`;
}

interface Policy {
  name: string;
  /** 0 is for ever. */
  hours: number;
}

async function defaultPolicy(server: Server, database: string): Promise<Policy | undefined> {
  let found: Policy | undefined;
  try {
    const statement = `SHOW RETENTION POLICIES ON ${identifier(database)}`;
    for await (const { columns, values } of server.query(database, statement)) {
      const of = (row: (typeof values)[number], column: string) => row[columns.indexOf(column)];
      const row = values.find((each) => of(each, 'default') === true);
      // `168h0m0s`; for ever is `0s`.
      if (row) found = { name: String(of(row, 'name')), hours: Number(/^(\d+)h/.exec(String(of(row, 'duration')))?.[1] ?? 0) }; // prettier-ignore
    }
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
  }
  return found;
}
