import { Command } from 'commander';
import type { Io } from '../io';
import { listCommand } from './dead-letters-list';
import { removeCommand } from './dead-letters-remove';
import { showCommand } from './dead-letters-show';

/** `weir dead-letters`: what the workers could never take, why, and what to do with it. */
export function deadLettersCommand(io: Io, exit: (code: number) => void): Command {
  return new Command('dead-letters')
    .description('look at what the workers could not take, send it back to them, or throw it away')
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(removeCommand(io, 'replay', exit))
    .addCommand(removeCommand(io, 'discard', exit));
}
