import type { ChannelModel } from 'amqplib';
import { Command } from 'commander';
import { withBroker } from '../broker';
import { filterOf } from '../dead-letters/filter';
import { readLetter, restingQueueOf, type DeadLetter } from '../dead-letters/letter';
import { walk, type Walked } from '../dead-letters/walk';
import { amqpUrl } from '../endpoints';
import { clean, colours, forPeople, print, table, type Io } from '../io';
import { createGroups, seconds, tableOfGroups } from './dead-letters-groups';
import { count, EVERYWHERE, FILTER_HELP, filterIn, withSelection, type Selection } from './dead-letters-options';

interface Options extends Selection {
  letters?: boolean;
  limit?: number;
}

const HELP = `${FILTER_HELP}

Looking takes nothing away: what is shown goes back, in its order, when all have been looked at. Meanwhile another
reader does not see it.

Examples:
  weir dead-letters list
  weir dead-letters list --worker influx --letters --limit 100
  weir dead-letters list --letters --json | jq -r '[.worker, .reason, .error] | @tsv'`;

/** `weir dead-letters list`: how many of which worker and reason, or each of them. */
export function listCommand(io: Io): Command {
  return withSelection(new Command('list'))
    .description('count the dead letters by worker and reason, and leave them where they are')
    .option('--letters', 'show each of them, the oldest first')
    .option('-l, --limit <number>', 'at most so many of each worker (default: all; with --letters 20)', count)
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const limit = options.limit ?? (options.letters ? 20 : Infinity);
      await withBroker(amqpUrl(io, options.amqp), async (connection) => {
        await (options.letters ? listLetters : countLetters)(io, connection, options, limit);
      });
    });
}

async function countLetters(io: Io, connection: ChannelModel, options: Options, limit: number): Promise<void> {
  const groups = createGroups();
  await eachLetter(io, connection, options, limit, async (letter) => groups.add(letter));
  const all = groups.all();
  if (!forPeople(io, options)) {
    for (const group of all) await print(io.stdout, JSON.stringify(group));
  } else {
    await print(io.stdout, all.length > 0 ? tableOfGroups(io, all) : 'there are no such dead letters');
  }
}

async function listLetters(io: Io, connection: ChannelModel, options: Options, limit: number): Promise<void> {
  if (!forPeople(io, options)) {
    return eachLetter(io, connection, options, limit, (letter) => print(io.stdout, JSON.stringify(letter)));
  }
  const rows: (string | number)[][] = []; // a table is as wide as its widest row, so it has to wait for the last
  await eachLetter(io, connection, options, Math.min(limit, 1000), async (letter) => void rows.push(rowOf(io, letter)));
  if (rows.length === 0) return print(io.stdout, 'there are no such dead letters');
  // The error has what the other columns, at their widest, leave of the terminal.
  const width = Math.max(30, (io.stdout.columns ?? 120) - 120);
  await print(io.stdout, table(['worker', 'parked', 'reason', 'replayed', 'type', 'id', 'error'], rows, width));
}

function rowOf(io: Io, { worker, time, reason, replays, event, id, error }: DeadLetter): (string | number)[] {
  const why = colours(io).yellow(clean(reason, 20));
  return [
    clean(worker, 16),
    seconds(time),
    why,
    replays,
    clean(event?.type ?? '', 24),
    clean(id, 36),
    clean(error, 500),
  ];
}

/** Goes through the letters that are meant, and leaves them. Says on stderr what could not be looked at. */
export async function eachLetter(
  io: Io,
  connection: ChannelModel,
  options: Selection,
  limit: number,
  visit: (letter: DeadLetter) => Promise<void>,
): Promise<void> {
  const meant = filterOf(filterIn(options), new Date());
  for (const worker of options.worker ?? EVERYWHERE) {
    let left = limit;
    const walked = await walk(connection, {
      queue: restingQueueOf(worker),
      signal: io.signal,
      async visit(message) {
        const letter = readLetter(message, worker);
        if (!meant(letter)) return { goes: false };
        left -= 1;
        await visit(letter);
        return { goes: false, last: left === 0 };
      },
    });
    tellWhatWasLeftOut(io, worker, walked);
  }
}

const WHY = {
  interrupted: 'interrupted',
  'too long': 'they cannot be kept from their queue any longer',
  'too many': 'more cannot be kept from their queue at one time; replay or discard some first',
} as const;

/** @returns whether anything was left out. */
export function tellWhatWasLeftOut(io: Io, worker: string, { there, seen, stopped }: Walked): boolean {
  const tell = (text: string) => void io.stderr.write(`weir: ${clean(worker)}: ${text}\n`);
  if (there === undefined) tell(`there is no queue ${clean(restingQueueOf(worker))}: see \`weir topology\``);
  if (stopped) tell(`looked at ${seen} of ${there} letters: ${WHY[stopped]}`);
  return there === undefined || stopped !== undefined;
}
