/**
 * The stand-in for MongoDB as a process of its own:
 *
 *   node main.js --port 27017 --dir .weir/mongo --user weir --password-file .weir/mongo.password
 *
 * Prints one line when it listens, stops on SIGTERM or SIGINT, keeps what it acknowledged through kill -9 (with --dir).
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startMongoStandIn } from './server';

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      host: text,
      port: text,
      dir: text,
      user: text,
      password: text,
      'password-file': text,
      'max-documents': text,
    },
  });
  const { host, dir, user } = values;
  const passwordFile = values['password-file'];
  const password = passwordFile === undefined ? values.password : readFileSync(passwordFile, 'utf8').trim();
  const standIn = await startMongoStandIn({
    port: wholeNumber('--port', values.port ?? '0'),
    ...(host === undefined ? {} : { host }),
    ...(dir === undefined ? {} : { dir }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(values['max-documents'] === undefined
      ? {}
      : { maxDocuments: wholeNumber('--max-documents', values['max-documents']) }),
  });
  const where = standIn.url.replace(/\/\/[^@/]*@/, '//');
  console.log(
    `a stand-in for MongoDB, for tests and the quick start only, listens on ${where}${dir ? ` and keeps its documents in ${dir}` : ''}`,
  );
  const stop = () => void standIn.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function wholeNumber(flag: string, value: string): number {
  if (!/^\d{1,10}$/.test(value)) throw new Error(`${flag} must be a whole number, not '${value}'`);
  return Number(value);
}

main().catch((error: unknown) => {
  console.error(`the stand-in for MongoDB did not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
