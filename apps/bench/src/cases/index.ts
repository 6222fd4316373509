import type { Case } from '../case';
import { influxWorker } from './influx-worker';
import { memory } from './memory';
import { mongoWorker } from './mongo-worker';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [influxWorker, mongoWorker, memory, start];
