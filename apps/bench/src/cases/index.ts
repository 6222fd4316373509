import type { Case } from '../case';
import { start } from './start';

/** Every case, in the order in which they are measured. */
export const cases: readonly Case[] = [start];
