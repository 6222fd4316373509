import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';

/** The command line is wrong; the message says what, and what is allowed. */
export class OptionError extends Error {}

type OptionKinds = Readonly<Record<string, { type: 'string' | 'boolean' }>>;
type OptionValues<Options extends OptionKinds> = {
  [Name in keyof Options]: (Options[Name]['type'] extends 'string' ? string : boolean) | undefined;
};

/** The values of the options, where there are no others. @throws OptionError with the usage behind what was wrong */
export function parseOptions<Options extends OptionKinds>(
  args: readonly string[],
  options: Options,
  usage: string,
): OptionValues<Options> {
  try {
    const values: unknown = parseArgs({ args: [...args], options }).values;
    return values as OptionValues<Options>;
  } catch (error) {
    throw new OptionError(`${(error as Error).message}\n\n${usage}`);
  }
}

/** Asks whoever sits at the terminal, for yes or no; yes where nobody does. */
export async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^(y|yes|)$/i.test((await prompt.question(`${question} [Y/n] `)).trim());
  } finally {
    prompt.close();
  }
}
