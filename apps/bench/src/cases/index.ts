import type { Case } from '../case';
import { ingest } from './ingest';
import { latency } from './latency';
import { memory } from './memory';
import { publisher } from './publisher';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [publisher, ingest, latency, memory, start];
