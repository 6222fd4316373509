/**
 * Stands for an app or a server in the tests of the supervisor: it listens, says that it is ready, and ends on
 * SIGTERM. Told so by FAKE_FAILS, it ends with that exit code instead of starting.
 */
import { createServer } from 'node:http';

const { ADMIN_PORT, FAKE_PORT, GATEWAY_PORT, FAKE_FAILS } = process.env;
if (FAKE_FAILS) {
  process.stderr.write('fake: I was told to fail\n');
  process.exit(Number(FAKE_FAILS));
}
for (const port of [ADMIN_PORT, FAKE_PORT, GATEWAY_PORT]) {
  if (!port) continue;
  createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(request.url === '/environment' ? JSON.stringify(process.env) : '{"ready":true,"checks":{}}');
  }).listen(Number(port), '127.0.0.1');
}
process.stdout.write('fake: started\n');
process.on('SIGTERM', () => process.exit(0));
