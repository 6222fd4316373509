/**
 * Publishes one event from a service of your own, through RabbitMQ. `npm start` compiles it:
 *
 *   node examples/dist/publish.js
 *
 * The broker is AMQP_URL or, without it, the quick start's. `confirmed` means that RabbitMQ has the event on disk in
 * every queue; `spooled`, that it is in the spool on this machine's disk, because the broker is away, and goes out
 * with the same identity when a publisher with this spool next reaches it. Either way it will be counted, once.
 */
import { readFileSync } from 'node:fs';
import { createPublisher } from '@weir/bus';
import { createEvent } from '@weir/events';
import pino from 'pino';
import { Registry } from 'prom-client';

async function main(): Promise<void> {
  const publisher = createPublisher({
    url: brokerUrl(),
    spoolDir: '.weir/spool/example', // this process's alone
    log: pino({ level: 'warn' }),
    metrics: new Registry(),
    name: 'example',
  });
  // A service keeps its publisher for as long as it runs. This one has just been made and connects in the background:
  // wait a moment for the broker, and publish all the same when it does not come.
  const deadline = Date.now() + 5_000;
  while (publisher.ready() !== true && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));

  const event = createEvent(
    'io.weir.pull',
    { repository: 'acme/app', tag: '1.0', platform: 'linux/amd64', user: { email: 'me@acme.example' } },
    { source: 'examples/typescript' },
  );
  const where = await publisher.publish(event);
  console.log(`${event.type} ${event.id}: ${where}`);
  await publisher.close();
}

function brokerUrl(): string {
  // eslint-disable-next-line no-restricted-properties -- this is the main of a program
  const given = process.env['AMQP_URL'];
  if (given) return given;
  try {
    return (JSON.parse(readFileSync('.weir/endpoints.json', 'utf8')) as { amqp: string }).amqp;
  } catch {
    throw new Error('no broker: set AMQP_URL, or run this where `npm start` was run');
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
