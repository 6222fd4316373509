import { WORKERS } from '@weir/bus';
import { InvalidArgumentError, type Command } from 'commander';
import { parseAge, type Filter } from '../dead-letters/filter';
import { UNROUTED_NAME } from '../dead-letters/letter';

/** What every command of dead letters may be given. */
export interface Selection {
  worker?: string[];
  id?: string[];
  reason?: string[];
  olderThan?: number;
  newerThan?: number;
  amqp?: string;
  json?: boolean;
}

/** Where letters can rest unless told: with every worker that Weir ships, and with nobody. */
export const EVERYWHERE: readonly string[] = [...WORKERS, UNROUTED_NAME];

export function withSelection(command: Command): Command {
  return command
    .option('-w, --worker <name...>', `only of these (default: ${EVERYWHERE.join(', ')})`, worker)
    .option('-r, --reason <text...>', 'only with these reasons; * stands for anything')
    .option('--older-than <age>', 'only those parked longer ago than this: 90s, 15m, 6h, 2d, 1w', age)
    .option('--newer-than <age>', 'only those parked since', age)
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--json', 'JSON on a terminal too');
}

export function filterIn({ id, reason, olderThan, newerThan }: Selection): Filter {
  return { ids: id, reasons: reason, olderThanMs: olderThan, newerThanMs: newerThan };
}

export const FILTER_HELP = `
A letter that does not say when it was parked is of no age: --older-than and --newer-than both leave it out.
${UNROUTED_NAME} are the events that met no queue at all (weir.${UNROUTED_NAME}); they belong to no worker.`;

export function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number from 1.');
}

function worker(name: string, before: string[] | undefined): string[] {
  if (!/^[\w.-]{1,100}$/.test(name)) throw new InvalidArgumentError('It is no name of a worker.');
  return [...new Set([...(before ?? []), name])];
}

function age(text: string): number {
  const ms = parseAge(text);
  if (ms === undefined) throw new InvalidArgumentError('It must be a number and a unit: 90s, 15m, 6h, 2d or 1w.');
  return ms;
}
