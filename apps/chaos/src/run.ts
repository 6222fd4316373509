import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '@weir/testing';
import type { Case, Row } from './case';
import { cases } from './cases';
import { brokenBy, mutations, type Mutation } from './mutations';
import { readOptions, usage, type Options } from './options';
import { createRunner } from './runner';
import { soakOf } from './soak';
import { tableOf } from './table';
import { unplayable } from './unplayable';

/** Of the surroundings, only what is needed. */
export interface Surroundings {
  args: readonly string[];
  path: string;
  mongodbUrl: string | undefined;
  stdout: { write(text: string): unknown; isTTY?: boolean };
  stderr: { write(text: string): unknown };
}

/** The whole of `npm run chaos`. Resolves with the exit code: 0, 1 for any breach, 2 for wrong options. */
export async function run(surroundings: Surroundings): Promise<number> {
  const { stdout, stderr } = surroundings;
  try {
    const options = readOptions(surroundings.args);
    if (options.list) {
      stdout.write(listed());
      return 0;
    }
    const chosen = choose(options);
    stderr.write(`seed ${options.seed}; again: ${replay(options)}\n`);
    const rows = await play(chosen, options, surroundings);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`);
    stdout.write(stdout.isTTY ? tableOf(rows) : `${JSON.stringify(rows, null, 2)}\n`);
    const breaches = rows.filter(({ ok }) => !ok);
    stderr.write(`${rows.length} cases, ${breaches.length} breaches; again: ${replay(options)}\n`);
    return breaches.length === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function play(
  chosen: readonly Case[],
  options: Options,
  { path, mongodbUrl, stderr }: Surroundings,
): Promise<Row[]> {
  const root = join(__dirname, '../../..');
  const mutation = options.mutation === undefined ? undefined : mutationOf(options.mutation);
  const runner = createRunner({
    root,
    ...(mutation === undefined ? {} : { ...brokenBy(mutation, root), stalledMs: 6_000 }),
    path,
    mongodbUrl,
    seed: options.seed,
    thorough: options.all,
    keep: options.keep,
    log: (text) => stderr.write(`  ${text}\n`),
  });
  const rows: Row[] = [];
  try {
    for (const [at, each] of chosen.entries()) {
      const can = each.needs?.() ?? true;
      if (can !== true) {
        stderr.write(`${each.id} cannot be played here: ${can}\n`);
        continue;
      }
      stderr.write(`${at + 1}/${chosen.length} ${each.id} ${each.title}\n`);
      const row = await runner.play(each);
      stderr.write(`  ${summary(row)}\n`);
      rows.push(row);
    }
  } finally {
    await runner.close();
  }
  return rows;
}

function summary({ ok, issued, acknowledged, lost, duplicated, unknown, recoverySeconds, note }: Row): string {
  const recovery = recoverySeconds === null ? 'never recovered' : `recovered in ${recoverySeconds} s`;
  const counts = `${issued} issued, ${acknowledged} acknowledged, ${lost} lost, ${duplicated} duplicated, ${unknown} unknown`;
  return `${ok ? 'ok' : 'BREACH'}: ${counts}, ${recovery}${note === undefined ? '' : `; ${note}`}`;
}

function mutationOf(name: string): Mutation {
  const found = mutations.find((mutation) => mutation.name === name);
  if (found) return found;
  throw new OptionError(`There is no mutation ${name}: ${mutations.map((each) => each.name).join(', ')}.`);
}

function choose({ only, all, mutation, soakMinutes }: Options): readonly Case[] {
  if (soakMinutes !== undefined) return [soakOf(soakMinutes)];
  const strangers = only.filter((id) => !cases.some((each) => each.id === id));
  if (strangers.length > 0)
    throw new OptionError(`There is no case ${strangers.join(', ')}; --list shows all.\n\n${usage}`);
  if (mutation !== undefined && only.length === 0) {
    const fitting = mutationOf(mutation).case;
    return cases.filter(({ id }) => id === fitting);
  }
  if (only.length > 0) return cases.filter(({ id }) => only.includes(id));
  return cases.filter(({ long }) => all || !long);
}

function listed(): string {
  const playable = cases.map(({ id, title, long }) => `${id.padEnd(14)}${title}${long ? ' (only with --all)' : ''}\n`);
  const broken = mutations.map(({ name, about }) => `--mutation ${name}: ${about}\n`);
  const others = unplayable.map(({ id, reason }) => `${id.padEnd(14)}not played here: ${reason}\n`);
  return [...playable, '\n', ...others, '\n', ...broken].join('');
}

function replay({ seed, all, only, soakMinutes, mutation }: Options): string {
  return [
    'npm run chaos --',
    all ? ' --all' : '',
    only.length > 0 ? ` --only ${only.join(',')}` : '',
    soakMinutes === undefined ? '' : ` --soak ${soakMinutes}`,
    mutation === undefined ? '' : ` --mutation ${mutation}`,
    ` --seed ${seed}`,
  ].join('');
}
