/**
 * Asks this container's app how it is: `node healthcheck.mjs /readyz`. Exit code 0 for 200, otherwise 1 with what the
 * app says is in the way.
 */
import process from 'node:process';

const { ADMIN_PORT = '9090' } = process.env;
try {
  const answer = await fetch(`http://127.0.0.1:${ADMIN_PORT}${process.argv[2] ?? '/healthz'}`, {
    signal: AbortSignal.timeout(4_000),
  });
  process.stdout.write((await answer.text()).slice(0, 1_000));
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  process.stdout.write(`no answer: ${error.cause?.message ?? error.message}\n`);
  process.exitCode = 1;
}
