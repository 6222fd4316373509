import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { amqpUrl as amqpUrlSchema } from '@weir/service';
import { CliError, exitCodes, type Io } from './io';

/** What the quick start writes down about itself in the folder where it was started (DESIGN, section 6). */
const FILE = '.weir/endpoints.json';

/** Where an address can come from, the first that has one wins: an option, the environment, the quick start's file. */
export interface Wanted {
  option?: string | undefined;
  variable: string;
  endpoint: string;
  /** What it is, for the message: `the broker`. */
  what: string;
  /** Where none of them has one. */
  fallback?: string;
}

/** @throws CliError (exit code 78) that says what to do when there is none. */
export function endpoint(io: Io, { option, variable, endpoint: key, what, fallback }: Wanted): string {
  const found = option ?? (io.env[variable] || undefined) ?? endpointsOf(io)?.[key] ?? fallback;
  if (typeof found === 'string' && found !== '') return found;
  throw new CliError(
    `no address of ${what}: set ${variable}, or run this where \`npm start\` was run (${FILE} is there)`,
    exitCodes.configuration,
  );
}

/** {@link endpoint} of the broker, from AMQP_URL or `amqp`. */
export function amqpUrl(io: Io, option?: string): string {
  const url = endpoint(io, { option, variable: 'AMQP_URL', endpoint: 'amqp', what: 'the broker' });
  const checked = amqpUrlSchema().safeParse(url);
  if (checked.success) return url;
  const why = checked.error.issues.map(({ message }) => message).join('; ');
  throw new CliError(`the address of the broker ${why}`, exitCodes.configuration);
}

/** The key for POST /events, from INGEST_KEY or `ingestKey`. */
export function ingestKey(io: Io, option?: string): string {
  return endpoint(io, { option, variable: 'INGEST_KEY', endpoint: 'ingestKey', what: 'a key for the ingest API' });
}

function endpointsOf(io: Io): Record<string, unknown> | undefined {
  const path = join(io.cwd, FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CliError(`${FILE} cannot be read: ${message}`, exitCodes.configuration);
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new CliError(`${FILE} is not a JSON object; start the quick start anew`, exitCodes.configuration);
}
