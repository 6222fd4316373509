import { run } from './run';

const { PATH, WEIR_TEST_MONGODB_URL } = process.env;

run({
  args: process.argv.slice(2),
  path: PATH ?? '',
  mongodbUrl: WEIR_TEST_MONGODB_URL === '' ? undefined : WEIR_TEST_MONGODB_URL,
  stdout: process.stdout,
  stderr: process.stderr,
}).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
