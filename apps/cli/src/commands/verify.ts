import { Command, InvalidArgumentError, Option } from 'commander';
import { replyText, withBroker } from '../broker';
import { amqpUrl } from '../endpoints';
import { grouped } from '../history/progress';
import { rowsJson, rowsTable } from '../history/report';
import { withUsageStore } from '../history/stores';
import { verify, type StoreName, type Verified } from '../history/verify';
import { noticeOf } from '../history/statistics';
import { windowOf, type Window } from '../history/window';
import { CliError, colours, exitCodes, forPeople, print, type Io } from '../io';
import { limitOf } from './rebuild';

interface Options {
  from?: string;
  to?: string;
  only?: StoreName[];
  wait: number;
  limit: number;
  amqp?: string;
  redis?: string;
  influx?: string;
  mongodb?: string;
  json?: boolean;
}

const STORES: StoreName[] = ['redis', 'influx', 'mongo'];

const HELP = `
Redis: the history is counted anew beside the live counters, and every key is compared, while the counting stands still
for a moment. InfluxDB and MongoDB: points and documents are counted by minute. Events that are still on their way are
no drift. Redis is needed in any case: what was seen is remembered there. Days are UTC, both included. REDIS_PREFIX,
DEDUPE_DAYS, STATISTICS_DIR, INFLUX_DATABASE, MONGODB_DATABASE … must be set here too where they are set for the workers.

Exit codes: 0 no drift, 1 drift, 69 something does not answer or a worker is too far behind to be judged.

Examples:
  weir verify
  weir verify --from 2026-11-22 --only redis influx
  weir verify --json | jq '.drifts[]'`;

/** `weir verify`: every store, held against the history. */
export function verifyCommand(io: Io, exit: (code: number) => void): Command {
  return new Command('verify')
    .description('hold Redis, InfluxDB and MongoDB against the history, and show what differs')
    .option('--from <day>', 'first day, YYYY-MM-DD (default: as far back as the history goes)')
    .option('--to <day>', 'last day, YYYY-MM-DD (default: today)')
    .addOption(new Option('--only <store...>', 'only these stores').choices(STORES))
    .option('--wait <seconds>', 'how long a worker may take to catch up', seconds, 30)
    .option('-l, --limit <number>', 'show at most so many differences', limitOf, 50)
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--redis <url>', 'Redis (default: REDIS_URL)')
    .option('--influx <url>', 'InfluxDB (default: INFLUX_URL)')
    .option('--mongodb <url>', 'MongoDB (default: MONGODB_URL)')
    .option('--json', 'JSON on a terminal too')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const window = windowOf(options);
      const url = amqpUrl(io, options.amqp);
      const verified = await withUsageStore(io, options.redis, (store) =>
        withBroker(url, (connection) =>
          verify(io, {
            connection,
            store,
            window,
            stores: options.only ?? STORES,
            waitMs: options.wait * 1000,
            influx: options.influx,
            mongodb: options.mongodb,
          }),
        ),
      ).catch((error: unknown) => {
        if (error instanceof CliError) throw error;
        throw new CliError(replyText(error), exitCodes.unavailable);
      });
      if (verified.rows.length > 0) exit(exitCodes.found);
      await report(io, options, window, verified);
    });
}

async function report(io: Io, options: Options, window: Window, verified: Verified): Promise<void> {
  const { rows, days, left, events, invalid, seconds: took, heldMs, unknown, deadLetters } = verified;
  if (!forPeople(io, options)) {
    const body = {
      ok: rows.length === 0, differences: rows.length, drifts: rowsJson(rows, options.limit), events, invalid,
      seconds: Math.round(took * 10) / 10, heldMs: Math.round(heldMs), days, left, unknown, deadLetters,
    }; // prettier-ignore
    return print(io.stdout, JSON.stringify(body));
  }
  const paint = colours(io);
  if (rows.length > 0) await print(io.stdout, rowsTable(io, rows, options.limit));
  const judged = Object.entries(days).map(([store, list]) => `${store} ${list.length} days`);
  await print(
    io.stdout,
    `${window.text}: ${grouped(events)} events of the history in ${Math.round(took * 10) / 10} s; held against it: ` +
      `${judged.join(', ')}${heldMs > 0 ? `; counting stood still for ${Math.round(heldMs)} ms` : ''}`,
  );
  const strange = noticeOf(unknown);
  if (strange !== undefined) await print(io.stdout, paint.yellow(strange));
  for (const { store, day, why } of left.slice(0, 5))
    await print(io.stdout, paint.yellow(`${store} ${day} not judged: ${why}`));
  if (left.length > 5) await print(io.stdout, paint.yellow(`… and ${left.length - 5} more days`));
  for (const [worker, letters] of Object.entries(deadLetters)) {
    if (letters > 0) {
      const text = `${grouped(letters)} dead letters of ${worker} explain what is missing there: \`weir dead-letters list --worker ${worker}\``;
      await print(io.stdout, paint.yellow(text));
    }
  }
  await print(io.stdout, rows.length === 0 ? paint.green('no drift') : paint.red(`${grouped(rows.length)} keys drift`));
}

function seconds(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number of seconds, up to 9999.');
}
