import { OptionError, parseOptions } from '@weir/testing';

/** What the command line asks for. */
export interface Options {
  all: boolean;
  /** Ids of cases; empty for the usual choice. */
  only: readonly string[];
  seed: number;
  /** File for the rows as JSON. */
  json: string | undefined;
  list: boolean;
  /** Minutes of the random soak instead of the cases. */
  soakMinutes: number | undefined;
  /** Breaks the implementation in this way, to see that the suite notices. */
  mutation: string | undefined;
  /** Leaves logs and data of a breach where they are. */
  keep: boolean;
}

const OPTIONS = {
  all: { type: 'boolean' },
  only: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'string' },
  list: { type: 'boolean' },
  soak: { type: 'string' },
  mutation: { type: 'string' },
  keep: { type: 'boolean' },
} as const;

export const usage = `Usage: npm run chaos -- [options]

  --all              every case that can be played here, the long ones too
  --only F02,F05     only these
  --seed N           the seed of every choice; one is made up and printed without it
  --soak MINUTES     a random schedule of faults for so long, instead of the cases
  --mutation NAME    breaks Weir on purpose and plays the fitting case: must end with a breach
  --json FILE        writes the rows there as JSON
  --keep             leaves logs and data of a breach, and says where
  --list             what there is, and what cannot be played here
`;

/** @throws OptionError that says what is wrong */
export function readOptions(args: readonly string[], random: () => number = Math.random): Options {
  const values = parseOptions(args, OPTIONS, usage);
  const number = (name: 'seed' | 'soak', highest: number): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^\d{1,10}$/.test(text) || Number(text) < 1 || Number(text) > highest)
      throw new OptionError(`--${name} must be a whole number from 1 to ${highest}.\n\n${usage}`);
    return Number(text);
  };
  return {
    all: values.all ?? false,
    only: (values.only ?? '').split(',').map((id) => id.trim()).filter((id) => id !== ''), // prettier-ignore
    seed: number('seed', 4_294_967_295) ?? 1 + Math.floor(random() * 999_999),
    json: values.json,
    list: values.list ?? false,
    soakMinutes: number('soak', 24 * 60),
    mutation: values.mutation,
    keep: values.keep ?? false,
  };
}
