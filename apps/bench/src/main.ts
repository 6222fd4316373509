import { ask } from '@weir/testing';
import { run } from './run';

const { stdout, stderr } = process;
run({ args: process.argv.slice(2), path: process.env['PATH'] ?? '', ask, stdout, stderr }).then(
  (code) => process.exit(code),
  (error: unknown) => {
    stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
