import { InvalidArgumentError, type Command } from 'commander';
import { statsAccess } from '../endpoints';
import { CliError, exitCodes, forPeople, print, type Io } from '../io';
import { createStatsApi, type StatsApi } from './api';
import { safeJson } from './export';
import { watchLines, watchOnScreen } from './watch';

/** What every command of the read API may be given. */
export interface Shown {
  stats?: string;
  json?: boolean;
  watch?: number | true;
}

/** Seconds between two looks. */
const WATCH_SECONDS = 5;

export function withShown(command: Command): Command {
  return command
    .option(
      '--watch [seconds]',
      `show it again and again, until Ctrl-C (default: every ${WATCH_SECONDS} s)`,
      watchSeconds,
    )
    .option('--stats <url>', 'the read API (default: STATS_URL)')
    .option('--json', 'JSON on a terminal too');
}

export const apiOf = (io: Io, { stats }: Shown): StatsApi => createStatsApi(statsAccess(io, stats), io.signal);

/** Asks, and shows what is answered as text or as JSON; with --watch again and again. */
export async function show<T>(
  io: Io,
  options: Shown,
  ask: () => Promise<T>,
  { text, json = (answer) => answer }: { text(answer: T): string; json?(answer: T): unknown },
): Promise<void> {
  const people = forPeople(io, options);
  const frame = async () => {
    const answer = await ask();
    return people ? text(answer) : safeJson(json(answer));
  };
  if (options.watch === undefined) return print(io.stdout, await frame());
  const seconds = options.watch === true ? WATCH_SECONDS : options.watch;
  await (people ? watchOnScreen : watchLines)(io, seconds, frame);
}

export const NO_STATISTICS = 'there are no statistics yet: the redis-worker writes them down when it starts';

export const wrongUsage = (message: string) => new CliError(message, exitCodes.usage);

function watchSeconds(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number of seconds from 1, up to 99999.');
}

/** `dimension=value`, in the order given; an empty value is one that is not known. */
export function filter(
  text: string,
  before: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] {
  const at = text.indexOf('=');
  if (at > 0) return [...before, [text.slice(0, at), text.slice(at + 1)]];
  throw new InvalidArgumentError('It must be a dimension and its value: organization=seqera.io.');
}
