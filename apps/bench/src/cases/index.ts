import type { Case } from '../case';
import { memory } from './memory';
import { redisWorker } from './redis-worker';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [redisWorker, memory, start];
