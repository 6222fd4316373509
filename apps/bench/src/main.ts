import { createInterface } from 'node:readline/promises';
import { run } from './run';

async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^(y|yes|)$/i.test((await prompt.question(`${question} [Y/n] `)).trim());
  } finally {
    prompt.close();
  }
}

const { stdout, stderr } = process;
run({ args: process.argv.slice(2), path: process.env['PATH'] ?? '', ask, stdout, stderr }).then(
  (code) => process.exit(code),
  (error: unknown) => {
    stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
