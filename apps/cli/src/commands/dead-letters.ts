import { deadQueueOf, WORKERS } from '@weir/bus';
import { Command, InvalidArgumentError } from 'commander';
import { withBroker } from '../broker';
import { peek, type DeadLetter } from '../dead-letters';
import { amqpUrl } from '../endpoints';
import { clean, colours, forPeople, print, table, type Io } from '../io';

interface Options {
  worker?: string[];
  limit: number;
  amqp?: string;
  json?: boolean;
}

const MAX_LIMIT = 1000;

const HELP = `
Looking takes nothing away: what is shown goes back in the same order at once. While it is out, for some milliseconds,
another reader does not see it; that is when fewer are shown than there are.

Examples:
  weir dead-letters list
  weir dead-letters list --worker influx --limit 100
  weir dead-letters list --json | jq -r '.[] | [.worker, .reason, .error] | @tsv'`;

/** `weir dead-letters`: what a worker could never take, and why. */
export function deadLettersCommand(io: Io): Command {
  const list = new Command('list')
    .description('show the oldest dead letters of each worker, and leave them where they are')
    .option('-w, --worker <name...>', `only of these workers (default: ${WORKERS.join(', ')})`)
    .option('-l, --limit <number>', `at most so many of each, up to ${MAX_LIMIT}`, limit, 20)
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--json', 'JSON on a terminal too')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const workers = options.worker ?? WORKERS;
      const looks = await withBroker(amqpUrl(io, options.amqp), async (connection) => {
        const each = [];
        for (const worker of workers) each.push({ worker, ...(await peek(connection, worker, options.limit)) });
        return each;
      });
      for (const { worker, there } of looks) {
        if (there === undefined)
          io.stderr.write(`weir: there is no queue ${clean(deadQueueOf(worker))}: see \`weir topology\`\n`);
      }
      const letters = looks.flatMap((look) => look.letters);
      if (!forPeople(io, options)) return print(io.stdout, JSON.stringify(letters));
      if (letters.length > 0) await print(io.stdout, tableOf(io, letters));
      for (const { worker, there, letters } of looks) {
        if (there !== undefined) await print(io.stdout, `${clean(worker)}: ${letters.length} of ${there}`);
      }
    });
  return new Command('dead-letters').description('look at what the workers could not take').addCommand(list);
}

function tableOf(io: Io, letters: readonly DeadLetter[]): string {
  const paint = colours(io);
  // The error has what the other columns, at their widest, leave of the terminal.
  const width = Math.max(30, (io.stdout.columns ?? 120) - 110);
  const rows = letters.map(({ worker, time, reason, event, error }) => {
    const [type, id] = [clean(event?.type ?? '', 24), clean(event?.id ?? '', 36)];
    const parked = clean(time).replace(/\.\d+Z$/, 'Z');
    return [clean(worker, 16), parked, paint.yellow(clean(reason, 20)), type, id, clean(error, 500)];
  });
  return table(['worker', 'parked', 'reason', 'type', 'id', 'error'], rows, width);
}

function limit(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text) && Number(text) <= MAX_LIMIT) return Number(text);
  throw new InvalidArgumentError(`It must be a number from 1 to ${MAX_LIMIT}.`);
}
