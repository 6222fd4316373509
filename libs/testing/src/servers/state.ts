import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endLeftovers } from './process';
import { freePort, isFree } from './ports';

/** What a private instance must find again when it is started a second time in the same directory. */
export interface State<PortName extends string> {
  ports: Record<PortName, number>;
  user: string;
  password: string;
}

/**
 * Reads `state.json` of a server's directory, or makes it with free ports and a random password. A port that someone
 * else holds by now is replaced; everything else stays as it was, for the data was made with it. An instance that an
 * earlier run left running there is ended first.
 */
export async function loadState<PortName extends string>(
  dir: string,
  portNames: readonly PortName[],
): Promise<State<PortName>> {
  await endLeftovers(dir);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'state.json');
  const before = await readState<PortName>(file);
  const ports = {} as Record<PortName, number>;
  for (const name of portNames) {
    const port = before?.ports[name];
    ports[name] = port !== undefined && (await isFree(port)) ? port : await freePort();
  }
  const state = { ports, user: before?.user ?? 'weir', password: before?.password ?? randomBytes(16).toString('hex') };
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return state;
}

async function readState<PortName extends string>(file: string): Promise<State<PortName> | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as State<PortName>;
  } catch {
    return undefined;
  }
}
