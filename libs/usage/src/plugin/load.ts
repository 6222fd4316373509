import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import type { Cube, Statistic } from '../statistic';
import { cubeShape } from './shape';

/** Why a user's statistic is not there. */
export interface Mistake {
  /** The file's name; empty for the folder itself. */
  file: string;
  /** Where in it, `groups.1`; empty for the file as a whole. */
  field: string;
  /** What is wrong, and what is allowed. */
  message: string;
}

export interface Loaded {
  cubes: readonly Cube[];
  mistakes: readonly Mistake[];
}

const MOST_FILES = 100;
const MOST_CUBES = 100;
const MOST_BYTES = 1_000_000;

/**
 * The users' own statistics: the default export (or `module.exports`) of every `.js`, `.mjs` and `.cjs` file in the
 * folder, a cube or a list of them. A file with any mistake in it gives none; the others are not touched by it. The
 * code is the operator's, and trusted as this program is.
 *
 * @param builtIn the statistics whose names are taken
 */
export async function loadStatistics(folder: string, builtIn: readonly Statistic[]): Promise<Loaded> {
  let files: string[];
  try {
    files = await filesIn(folder);
  } catch (error) {
    return { cubes: [], mistakes: [mistake('', '', `cannot be read: ${(error as Error).message}`)] };
  }
  const taken = new Map(builtIn.map(({ name }) => [name, 'Weir itself']));
  const cubes: Cube[] = [];
  const mistakes = files.slice(MOST_FILES).map((file) => mistake(file, '', `is one too many: at most ${MOST_FILES}`));
  for (const file of files.slice(0, MOST_FILES)) {
    const found = await read(join(folder, file), file);
    const clashes = found.cubes.flatMap(({ name }) => {
      const by = taken.get(name);
      return by === undefined ? [] : [mistake(file, 'name', `'${name}' is taken by ${by}`)];
    });
    const wrong = [...found.mistakes, ...clashes];
    if (cubes.length + found.cubes.length > MOST_CUBES)
      wrong.push(mistake(file, '', `makes it more than ${MOST_CUBES} statistics`));
    mistakes.push(...wrong);
    if (wrong.length > 0) continue;
    for (const cube of found.cubes) taken.set(cube.name, file);
    cubes.push(...found.cubes);
  }
  return { cubes, mistakes };
}

/** As one line, for people: `checks.js: groups.1: names a dimension twice`. */
export const textOf = ({ file, field, message }: Mistake): string =>
  [file, field, message].filter((part) => part !== '').join(': ');

const mistake = (file: string, field: string, message: string): Mistake => ({ file, field, message });
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder);
  return entries.filter((name) => /\.[mc]?js$/.test(name)).sort();
}

/** What one file gives: statistics, or what is wrong with them. */
async function read(path: string, file: string): Promise<Loaded> {
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw new Error(`must be at most ${MOST_BYTES} bytes`);
    const source = createHash('sha256').update(await readFile(path)).digest('hex'); // prettier-ignore
    return check(load(path), file, source);
  } catch (error) {
    return { cubes: [], mistakes: [mistake(file, '', (error as Error).message)] };
  }
}

function check(exported: unknown, file: string, source: string): Loaded {
  const cubes: Cube[] = [];
  const mistakes: Mistake[] = [];
  const names = new Set<string>();
  for (const [at, each] of (Array.isArray(exported) ? (exported as unknown[]) : [exported]).entries()) {
    const where = Array.isArray(exported) ? [String(at)] : [];
    const checked = cubeShape.safeParse(each);
    if (!checked.success) {
      mistakes.push(...mistakesOf(checked.error.issues, file, where));
      continue;
    }
    const cube = checked.data as Cube;
    if (names.has(cube.name))
      mistakes.push(mistake(file, [...where, 'name'].join('.'), `'${cube.name}' is there twice`));
    names.add(cube.name);
    const increments: Cube['increments'] = (event) => (each as Cube).increments(event); // `this` is the file's own
    cubes.push({ ...cube, version: [cube.version, source].join(' ').trim(), increments });
  }
  return { cubes, mistakes };
}

/** Node loads modules of both kinds this way; one that awaits at its top is refused, and says so. */
function load(path: string): unknown {
  const exported: unknown = createRequire(resolve(path))(resolve(path));
  const isModule = typeof exported === 'object' && exported !== null && 'default' in exported;
  return isModule ? (exported as { default: unknown }).default : exported;
}

function mistakesOf(issues: readonly z.core.$ZodIssue[], file: string, where: readonly string[]): Mistake[] {
  return issues.map((issue) => {
    const field = [...where, ...issue.path.map(String)].join('.');
    if (issue.code === 'unrecognized_keys') {
      const allowed = Object.keys(cubeShape.shape).join(', ');
      return mistake(file, field, `has ${issue.keys.join(', ')}, which nothing knows${field === '' ? `; known are ${allowed}` : ''}`); // prettier-ignore
    }
    if (issue.code === 'invalid_key')
      return mistake(file, field, issue.issues.map(({ message }) => message).join('; '));
    if (issue.code === 'invalid_type' && issue.path.length === 0)
      return mistake(file, field, 'must export a statistic, or a list of them: export default { name, … }');
    return mistake(file, field, issue.message);
  });
}
