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

/** Where the read API is, and how this command shows it whom it acts for. */
export interface StatsAccess {
  /** Without credentials, search and fragment. */
  url: URL;
  /** The `Authorization` header; absent when there are no credentials. */
  authorization?: string;
}

/**
 * The read API, from STATS_URL or `stats`, with STATS_KEY, STATS_USER and STATS_PASSWORD, or the credentials of the URL.
 * What the quick start made up goes to its own address alone.
 *
 * @throws CliError (exit code 78)
 */
export function statsAccess(io: Io, option?: string): StatsAccess {
  const address = endpoint(io, { option, variable: 'STATS_URL', endpoint: 'stats', what: 'the read API' });
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    const message = 'the address of the read API must be a URL such as https://name:password@stats.example.com';
    throw new CliError(message, exitCodes.configuration);
  }
  const ofQuickStart = option === undefined && !io.env['STATS_URL'] ? endpointsOf(io) : undefined;
  const authorization = keyIn(io) ?? passwordIn(io) ?? passwordOf(url) ?? passwordFrom(ofQuickStart);
  Object.assign(url, { username: '', password: '', search: '', hash: '' });
  return { url, ...(authorization === undefined ? {} : { authorization }) };
}

function keyIn({ env }: Io): string | undefined {
  const key = env['STATS_KEY'];
  if (!key) return undefined;
  if (/^[\x21-\x7e]+$/.test(key)) return `Bearer ${key}`;
  throw new CliError('STATS_KEY must be visible ASCII characters, without spaces', exitCodes.configuration);
}

function passwordIn({ env }: Io): string | undefined {
  const [name, password] = [env['STATS_USER'], env['STATS_PASSWORD']];
  if (!name && !password) return undefined;
  if (name && password) return basic(name, password);
  const missing = name ? 'STATS_PASSWORD' : 'STATS_USER';
  throw new CliError(`${missing} must be set, too: a name and its password go together`, exitCodes.configuration);
}

function passwordOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  try {
    return basic(decodeURIComponent(username), decodeURIComponent(password));
  } catch {
    const message = 'name and password in the address of the read API must be percent-encoded';
    throw new CliError(message, exitCodes.configuration);
  }
}

function passwordFrom(endpoints: Record<string, unknown> | undefined): string | undefined {
  const [name, password] = [endpoints?.['statsUser'], endpoints?.['statsPassword']];
  return typeof name === 'string' && typeof password === 'string' ? basic(name, password) : undefined;
}

/** RFC 7617, in UTF-8. */
const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

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
