import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OptionError, createApp, freePort, installPackages, type InstallOptions } from '@weir/testing';
import type { Bench, Case, Servers } from './case';
import { cases } from './cases';
import { writeTable } from './docs';
import { readOptions, type Options } from './options';
import type { Row } from './row';
import { createServers } from './servers';
import { tableOf } from './table';

/** Of the surroundings, only what is needed. */
export interface Surroundings {
  args: readonly string[];
  path: string;
  ask: InstallOptions['ask'];
  stdout: { write(text: string): unknown; isTTY?: boolean };
  stderr: { write(text: string): unknown };
}

const PAGE = join(__dirname, '../../../docs/performance.md');
const PACKAGES = ['rabbitmq-server', 'redis-server', 'influxdb', 'wrk', 'nginx-light'] as const;

/** The whole of `npm run bench`. Resolves with the exit code: 0, 1 for a target that was missed, 2 for wrong options. */
export async function run(surroundings: Surroundings): Promise<number> {
  const { args, stdout, stderr } = surroundings;
  try {
    const options = readOptions(args, cases.map(({ name }) => name)); // prettier-ignore
    if (options.list) {
      stdout.write(cases.map(({ name }) => `${name}\n`).join(''));
      return 0;
    }
    const rows = await measure(options, surroundings);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
    if (options.write) await writeTable(PAGE, rows);
    stdout.write(stdout.isTTY ? tableOf(rows) : `${JSON.stringify(rows, null, 2)}\n`);
    const missed = rows.filter(({ ok }) => !ok);
    stderr.write(`${rows.length} figures, ${missed.length} of them missed their target\n`);
    return missed.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function measure(options: Options, { path, ask, stderr }: Surroundings): Promise<Row[]> {
  const { only, rounds, yes } = options;
  const began = performance.now();
  const say = (text: string): void => {
    stderr.write(`${String(Math.round((performance.now() - began) / 1000)).padStart(4)} s  ${text}\n`);
  };
  await installPackages(PACKAGES, { ask: yes ? async () => true : ask, progress: say });
  const dir = await mkdtemp(join(tmpdir(), 'weir-bench-'));
  const servers = createServers(join(dir, 'servers'));
  const chosen = cases.filter(({ name }) => only.length === 0 || only.includes(name));
  const rows: Row[] = [];
  try {
    for (const [at, each] of chosen.entries()) {
      const progress = (text: string): void => say(`${at + 1}/${chosen.length} ${each.name}: ${text}`);
      progress('starting');
      rows.push(...(await measureCase(each, { dir: join(dir, each.name), servers, rounds, path, progress })));
    }
  } finally {
    await servers.stop();
    await rm(dir, { recursive: true, force: true });
  }
  return rows;
}

interface Place {
  dir: string;
  servers: Servers;
  rounds: number;
  path: string;
  progress(text: string): void;
}

async function measureCase(each: Case, place: Place): Promise<Row[]> {
  await mkdir(place.dir);
  const releases: (() => unknown)[] = [];
  const onEnd: Bench['onEnd'] = (release) => void releases.push(release);
  const bench: Bench = {
    ...place,
    onEnd,
    async app(name, env) {
      const adminPort = await freePort();
      const app = createApp({
        name,
        args: [join(__dirname, '../..', name, 'dist/main.js')],
        env: { PATH: place.path, HOME: place.dir, LOG_LEVEL: 'warn', ...env, ADMIN_PORT: String(adminPort) },
        adminPort,
        logFile: join(place.dir, `${name}-${adminPort}.log`),
        onRepair: () => {},
      });
      onEnd(() => app.kill());
      return app;
    },
  };
  try {
    return await each.run(bench);
  } finally {
    for (const release of releases.reverse()) await release();
  }
}
