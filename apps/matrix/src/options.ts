import { OptionError, parseOptions } from '@weir/testing';
import { cells, type Cell } from './cells';
import { CLIENTS, type ClientName } from './clients/client';
import { MODES, type Mode } from './gateway';

/** What the command line asks for. */
export interface Options {
  clients: readonly ClientName[];
  modes: readonly Mode[];
  cells: readonly Cell[];
  /** File for the rows as JSON. */
  json: string | undefined;
  /** Puts the tables into docs/matrix.md. */
  write: boolean;
  list: boolean;
  /** Installs what is missing without asking. */
  yes: boolean;
}

const OPTIONS = {
  only: { type: 'string' },
  mode: { type: 'string' },
  image: { type: 'string' },
  json: { type: 'string' },
  write: { type: 'boolean' },
  list: { type: 'boolean' },
  yes: { type: 'boolean' },
} as const;

export const usage = `Usage: npm run matrix -- [options]

  --only docker,podman     only these clients: ${CLIENTS.join(', ')}
  --mode proxy             only these modes of the gateway: ${MODES.join(', ')}
  --image single,index     only these images; --list names all
  --json FILE              writes the rows there as JSON
  --write                  puts the tables into docs/matrix.md; of a whole run only
  --yes                    installs missing packages without asking
  --list                   what there is to pull
`;

/** @throws OptionError that says what is wrong */
export function readOptions(args: readonly string[]): Options {
  const { only, mode, image, json, write = false, list = false, yes = false } = parseOptions(args, OPTIONS, usage);
  const chosen = chosenOf('image', image, cells.map((cell) => cell.image)); // prettier-ignore
  if (write && (only ?? mode ?? image) !== undefined)
    throw new OptionError(`--write is for a whole run: leave out --only, --mode and --image.\n\n${usage}`);
  return {
    clients: chosenOf('only', only, CLIENTS),
    modes: chosenOf('mode', mode, MODES),
    cells: cells.filter((cell) => chosen.includes(cell.image)),
    json,
    write,
    list,
    yes,
  };
}

function chosenOf<T extends string>(option: string, text: string | undefined, all: readonly T[]): readonly T[] {
  if (text === undefined) return all;
  const wanted = text.split(',').map((name) => name.trim());
  const strangers = wanted.filter((name) => !all.some((known) => known === name));
  if (strangers.length === 0) return all.filter((known) => wanted.includes(known));
  throw new OptionError(`--${option} knows no "${strangers.join('", "')}", only ${all.join(', ')}.\n\n${usage}`);
}
