import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptionError, installPackages, missingPackages } from '@weir/testing';
import { cells } from './cells';
import { kinds } from './clients';
import { command } from './command';
import { writeTables } from './docs';
import type { Row } from './judge';
import { playMatrix } from './matrix';
import { readOptions, type Options } from './options';
import { countsOf, summaryOf, terminalTable } from './table';

/** Of the surroundings, only what is needed. */
export interface Surroundings {
  args: readonly string[];
  stdout: { write(text: string): unknown; isTTY?: boolean };
  stderr: { write(text: string): unknown };
  /** Asks a person who sits at a terminal; true at once where there is none. */
  ask(question: string): Promise<boolean>;
  signal: AbortSignal;
}

const root = join(__dirname, '../../..');

/** The whole of `npm run matrix`. Resolves with the exit code: 0, 1 for any mismatch, 2 for wrong options. */
export async function run({ args, stdout, stderr, ask, signal }: Surroundings): Promise<number> {
  try {
    const options = readOptions(args);
    if (options.list) {
      for (const { image, about } of cells) stdout.write(`${image.padEnd(15)}${about}\n`);
      return 0;
    }
    const progress = (text: string): void => void stderr.write(`${text}\n`);
    await install(options, options.yes ? async () => true : ask, progress);
    const rows = await play(options, progress, signal);
    if (options.json !== undefined) await writeFile(options.json, jsonOf(rows));
    if (options.write) await writeTables(join(root, 'docs/matrix.md'), rows);
    stdout.write(stdout.isTTY ? terminalTable(countsOf(rows)) : jsonOf(rows));
    progress(summaryOf(rows));
    return rows.some(({ ok }) => ok === false) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function play(options: Options, progress: (text: string) => void, signal: AbortSignal): Promise<Row[]> {
  const { clients, modes, cells } = options;
  const dir = await mkdtemp(join(tmpdir(), 'weir-matrix-'));
  try {
    const gateway = [join(root, 'apps/gateway/dist/main.js')];
    return await playMatrix({ dir, gateway, clients, modes, cells, progress, signal });
  } finally {
    // Unpacked layers may be folders that nobody but root may empty as they are.
    await command('chmod', ['-R', 'u+rwX', dir]).catch(() => {});
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A client that cannot be installed is a row that says so; a server that cannot ends the run where it is started. */
async function install(
  { clients }: Options,
  ask: (question: string) => Promise<boolean>,
  progress: (text: string) => void,
): Promise<void> {
  const servers = ['rabbitmq-server', 'docker-registry', 'openssl', 'skopeo'] as const;
  const missing = missingPackages([...new Set([...servers, ...clients.flatMap((name) => kinds[name].packages)])]);
  try {
    await installPackages(missing, { ask, progress });
  } catch (error) {
    progress((error as Error).message);
  }
}

function jsonOf(rows: readonly Row[]): string {
  return `${JSON.stringify(rows, null, 2)}\n`;
}
