import { openHistory } from '@weir/bus';
import { Command, InvalidArgumentError } from 'commander';
import { ask, canAsk } from '../ask';
import { replyText, withBroker } from '../broker';
import { amqpUrl } from '../endpoints';
import { grouped } from '../history/progress';
import { startRebuild, type Looked, type Rebuild } from '../history/rebuild';
import { rowOf, rowsJson, rowsTable } from '../history/report';
import { withUsageStore } from '../history/stores';
import { noticeOf } from '../history/statistics';
import { windowOf, type Window } from '../history/window';
import { CliError, colours, exitCodes, forPeople, print, type Io } from '../io';

interface Options {
  from?: string;
  to?: string;
  dryRun?: boolean;
  yes?: boolean;
  limit: number;
  amqp?: string;
  redis?: string;
  json?: boolean;
}

const HELP = `
The history is counted anew into keys of its own, beside the live ones, while events go on being counted. Then the
counting stands still for a moment, the rest of the history is read, and everything is replaced in one step. Killed at
any time it leaves either all as it was or all replaced. Days are UTC, both included.

A day of which the history no longer has everything cannot be rebuilt: without --from and --to it is left as it is,
with them it is refused. The redis-worker's REDIS_PREFIX, DEDUPE_DAYS, STATISTICS_DIR and STATISTICS_NAMES must be set
here too where they are set there.

Distinct sources (docs/uniques.md) are left as they are; \`weir replay redis\` adds what is missing in them.

Examples:
  weir rebuild --dry-run
  weir rebuild --from 2026-11-22 --to 2026-11-23
  weir rebuild --yes --json | jq '.differences, .left'`;

/** `weir rebuild`: counters from history, in one step. */
export function rebuildCommand(io: Io): Command {
  return new Command('rebuild')
    .description('count the history anew and put the result into the place of the counters in Redis')
    .option('--from <day>', 'first day, YYYY-MM-DD (default: as far back as can be)')
    .option('--to <day>', 'last day, YYYY-MM-DD (default: today)')
    .option('--dry-run', 'show what would change, and change nothing')
    .option('-y, --yes', 'replace without asking')
    .option('-l, --limit <number>', 'show at most so many differences', limitOf, 50)
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--redis <url>', 'Redis (default: REDIS_URL)')
    .option('--json', 'JSON on a terminal too')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const window = windowOf(options);
      const asking = options.yes !== true && options.dryRun !== true;
      if (asking && !canAsk(io)) {
        throw new CliError('nobody is here to be asked: give --yes, or --dry-run to look only', exitCodes.usage);
      }
      const url = amqpUrl(io, options.amqp);
      await withUsageStore(io, options.redis, (store) =>
        withBroker(url, async (connection) => {
          const rebuild = await startRebuild(io, openHistory(connection), store, window);
          try {
            let looked = await rebuild.look(options.yes === true && options.dryRun !== true);
            if (asking && (await wanted(io, looked, options.limit))) looked = await rebuild.look(true);
            await report(io, options, window, rebuild, looked);
          } finally {
            await rebuild.close();
          }
        }),
      ).catch((error: unknown) => {
        if (error instanceof CliError) throw error;
        throw new CliError(replyText(error), exitCodes.unavailable);
      });
    });
}

/** Shows the difference and asks. The counters are not held meanwhile: nobody knows how long a person thinks. */
async function wanted(io: Io, { drifts }: Looked, limit: number): Promise<boolean> {
  if (drifts.length === 0) return false;
  await print(io.stdout, rowsTable(io, drifts.map(rowOf('redis')), limit));
  return ask(io, `Replace these ${grouped(drifts.length)} keys?`);
}

async function report(io: Io, options: Options, window: Window, rebuild: Rebuild, looked: Looked): Promise<void> {
  const { drifts, judgement, everything, uncounted, heldMs, swapped, unknown } = looked;
  const { progress, invalid } = rebuild.reading;
  const [events, seconds] = [progress.events(), progress.seconds()];
  const rows = drifts.map(rowOf('redis'));
  progress.end();
  if (!forPeople(io, options)) {
    const days = judgement.exact.map(({ day, counted, recounted }) => ({ day, counted, recounted }));
    const left = judgement.rest.map(({ found: { day }, why }) => ({ day, why }));
    const body = {
      swapped, events, invalid: invalid(), seconds: round(seconds), heldMs: Math.round(heldMs), everything, uncounted,
      differences: rows.length, drifts: rowsJson(rows, options.limit), days, left, partial: judgement.partial, unknown,
    }; // prettier-ignore
    return print(io.stdout, JSON.stringify(body));
  }
  const paint = colours(io);
  const rate = Math.round(events / seconds);
  if (rows.length > 0) await print(io.stdout, rowsTable(io, rows, options.limit));
  await print(
    io.stdout,
    `${window.text}: ${grouped(events)} events of the history counted anew in ${round(seconds)} s (${grouped(rate)}/s), ` +
      `${grouped(judgement.exact.length)} days; counting stood still for ${Math.round(heldMs)} ms`,
  );
  for (const line of notices(looked)) await print(io.stdout, paint.yellow(line));
  const done = swapped
    ? paint.green(rows.length > 0 ? `${grouped(rows.length)} keys replaced` : 'nothing differed')
    : `${grouped(rows.length)} keys differ; nothing was changed`;
  await print(io.stdout, done);
}

function notices({ judgement: { rest, partial }, everything, uncounted, swapped, unknown }: Looked): string[] {
  const lines: string[] = [];
  const strange = noticeOf(unknown);
  if (strange !== undefined) lines.push(swapped ? `${strange}. They are filled from the history again` : strange);
  const [first] = rest;
  if (first) {
    const others = rest.length > 1 ? `, and so are ${grouped(rest.length - 1)} other days` : '';
    lines.push(`${first.found.day} is left as it is${others}: ${first.why}`);
  }
  if (partial.length > 0)
    lines.push(`the history has only a part of ${partial.join(', ')}; nothing else is left of it`);
  if (!everything) lines.push('the counters for all time are corrected by what was wrong with these days');
  if (uncounted > 0 && !swapped) {
    lines.push(`${grouped(uncounted)} events are in the history and not counted: they wait in the queue, or are lost`);
  }
  return lines;
}

const round = (seconds: number): number => Math.round(seconds * 10) / 10;

export function limitOf(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number.');
}
