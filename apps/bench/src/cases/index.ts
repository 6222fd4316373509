import type { Case } from '../case';
import { gateway } from './gateway';
import { influxWorker } from './influx-worker';
import { ingest } from './ingest';
import { latency } from './latency';
import { memory } from './memory';
import { mongoWorker } from './mongo-worker';
import { publisher } from './publisher';
import { redisWorker } from './redis-worker';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [
  redisWorker,
  influxWorker,
  mongoWorker,
  publisher,
  gateway,
  ingest,
  latency,
  memory,
  start,
];
