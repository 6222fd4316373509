import type { Case } from '../case';
import { gateway } from './gateway';
import { memory } from './memory';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [gateway, memory, start];
