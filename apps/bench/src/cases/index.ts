import type { Case } from '../case';
import { ingest } from './ingest';
import { latency } from './latency';
import { memory } from './memory';
import { publisher } from './publisher';
import { redisWorker } from './redis-worker';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [redisWorker, publisher, ingest, latency, memory, start];
