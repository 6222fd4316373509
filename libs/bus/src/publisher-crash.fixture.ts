import { writeSync } from 'node:fs';
import { createEvent } from '@weir/events';
import pino from 'pino';
import { Registry } from 'prom-client';
import { createPublisher } from './publisher';
import { randomFrom } from './spool-power-cut.test-support';

/**
 * A process of its own that a test kills or stops: it publishes bursts and prints the id of each event that is
 * acknowledged. Its window is so small that events go both ways at once, to the broker and through the spool, and it tells
 * of every such time, however short.
 */
const { url, spoolDir, seed } = JSON.parse(process.argv[2] ?? '') as { url: string; spoolDir: string; seed: number };
const random = randomFrom(seed);
const log = pino({ level: 'silent' });
const publisher = createPublisher({
  url,
  spoolDir,
  log,
  metrics: new Registry(),
  window: 32,
  source: 'crash',
  emergencyMs: 0,
});
let stopping = false;

/** Whole, though a test that reads slowly may have left no room in the pipe. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, line);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

async function run(): Promise<void> {
  while (!stopping) {
    const burst = Array.from({ length: 1 + Math.floor(random() * 80) }, async () => {
      const event = createEvent('io.weir.pull', { repository: 'a/b' }, { source: 'crash-test' });
      await publisher.publish(event).then(
        (outcome) => say(`${outcome} ${event.id}\n`),
        () => {},
      );
    });
    await Promise.all(burst);
  }
}

process.on('SIGTERM', () => {
  stopping = true;
  void publisher.close().then(() => process.exit(0));
});
void run();
