import { endpoint } from '../endpoints';
import { CliError, clean, exitCodes, type Io } from '../io';
import type { MinuteStore } from './minute-store';

const TIMEOUT_MS = 60_000;

/** The points of InfluxDB by minute: InfluxQL, which 1.x, 2.x and 3.x all answer. */
export async function openInflux(io: Io, option: string | undefined): Promise<MinuteStore> {
  const text = endpoint(io, { option, variable: 'INFLUX_URL', endpoint: 'influx', what: 'InfluxDB' });
  if (!/^https?:\/\/[^/]/.test(text) || !URL.canParse(text)) {
    throw new CliError(
      'the address of InfluxDB must be a URL such as http://user:password@host:8086',
      exitCodes.configuration,
    );
  }
  const database = endpoint(io, { variable: 'INFLUX_DATABASE', endpoint: 'influxDatabase', what: 'the database', fallback: 'weir' }); // prettier-ignore
  const url = new URL(text);
  const version = await versionOf(url);
  const authorization = authorizationFor(url, version, io.env['INFLUX_TOKEN']);
  return {
    name: 'influx',
    async count(day) {
      const statement =
        `SELECT count("identity") FROM /.*/ WHERE time >= '${day}T00:00:00Z' AND time < '${day}T00:00:00Z' + 1d ` +
        'GROUP BY time(1m) fill(none)';
      const minutes = new Map<string, number>();
      for (const { values = [] } of await query(url, authorization, database, statement)) {
        for (const [time, points] of values) {
          const minute = String(time).slice(0, 16);
          minutes.set(minute, (minutes.get(minute) ?? 0) + Number(points ?? 0));
        }
      }
      return minutes;
    },
    close: async () => {},
  };
}

async function versionOf(url: URL): Promise<number> {
  const response = await ask(new URL('/ping', url.origin), {});
  const said = `${response.headers.get('x-influxdb-version') ?? ''} ${await response.text()}`;
  return Number(/(\d+)\.\d+/.exec(said)?.[1] ?? 3); // 3.x may say nothing to strangers
}

/** 1.x knows users; from 2.x on a token is wanted, which may stand in the place of the password. */
function authorizationFor({ username, password }: URL, version: number, token: string | undefined): string | undefined {
  const [user, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
  if (version >= 2) return token || secret ? `Token ${token || secret}` : undefined;
  return user === '' ? undefined : `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
}

interface Series {
  columns: string[];
  values?: (string | number | null)[][];
}

async function query(url: URL, authorization: string | undefined, database: string, q: string): Promise<Series[]> {
  const target = new URL(`/query?db=${encodeURIComponent(database)}`, url.origin);
  const headers = { 'content-type': 'application/x-www-form-urlencoded', ...(authorization ? { authorization } : {}) };
  const response = await ask(target, { method: 'POST', headers, body: new URLSearchParams({ q }).toString() });
  const text = await response.text();
  const answer = parsed(text);
  const error = answer?.error ?? answer?.results?.find((result) => result.error)?.error;
  if (!response.ok || !answer || error) {
    const said = clean(error ?? (text || response.statusText), 300);
    throw new CliError(`InfluxDB at ${url.host} answers ${response.status}: ${said}`, exitCodes.unavailable);
  }
  return answer.results?.flatMap(({ series = [] }) => series) ?? [];
}

function parsed(text: string): { error?: string; results?: { error?: string; series?: Series[] }[] } | undefined {
  try {
    return JSON.parse(text) as ReturnType<typeof parsed>;
  } catch {
    return undefined;
  }
}

async function ask(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } };
    throw new CliError(
      `InfluxDB at ${url.host} does not answer (${cause?.code ?? message}): is it running, is INFLUX_URL right?`,
      exitCodes.unavailable,
    );
  }
}
