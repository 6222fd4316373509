import { ask } from '@weir/testing';
import { run } from './run';

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => ending.abort(new Error(`ended by ${signal}`)));

const { stdout, stderr } = process;
run({ args: process.argv.slice(2), stdout, stderr, ask, signal: ending.signal }).then(
  (code) => process.exit(code),
  (error: unknown) => {
    stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
