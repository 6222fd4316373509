import { OptionError, parseOptions } from '@weir/testing';

/** What the command line asks for. */
export interface Options {
  /** Names of cases; empty for all. */
  only: readonly string[];
  rounds: number;
  /** File for the rows as JSON. */
  json: string | undefined;
  /** Puts the table into docs/performance.md. */
  write: boolean;
  list: boolean;
  /** Installs what is missing without asking. */
  yes: boolean;
}

const OPTIONS = {
  only: { type: 'string' },
  rounds: { type: 'string' },
  json: { type: 'string' },
  write: { type: 'boolean' },
  list: { type: 'boolean' },
  yes: { type: 'boolean' },
} as const;

export const usage = `Usage: npm run bench -- [options]

  --only redis-worker,gateway   only these cases; --list names all
  --rounds N                    how often each side is measured, 1 to 99; 3 unless told
  --json FILE                   writes the rows there as JSON
  --write                       puts the table into docs/performance.md; of a whole run only
  --yes                         installs missing packages without asking
  --list                        what there is to measure
`;

/** @throws OptionError that says what is wrong */
export function readOptions(args: readonly string[], known: readonly string[]): Options {
  const {
    only = '',
    rounds = '3',
    json,
    write = false,
    list = false,
    yes = false,
  } = parseOptions(args, OPTIONS, usage);
  const names = only.split(',').map((name) => name.trim()).filter((name) => name !== ''); // prettier-ignore
  const strangers = names.filter((name) => !known.includes(name));
  if (strangers.length > 0)
    throw new OptionError(`--only knows no "${strangers.join('", "')}", only ${known.join(', ')}.\n\n${usage}`);
  if (!/^[1-9]\d?$/.test(rounds)) throw new OptionError(`--rounds must be a whole number from 1 to 99.\n\n${usage}`);
  if (write && names.length > 0) throw new OptionError(`--write is for a whole run: leave out --only.\n\n${usage}`);
  return { only: names, rounds: Number(rounds), json, write, list, yes };
}
