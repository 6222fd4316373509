import { Command } from 'commander';
import type { Io } from '../io';
import { askOverview, overviewText } from '../stats/overview';
import { COURSE, query, SCREENFUL, type QueryOptions } from '../stats/query';
import { apiOf, filter, show, withShown, wrongUsage } from '../stats/show';
import { count } from './dead-letters-options';
import { statsLatestCommand } from './stats-latest';
import { statsListCommand } from './stats-list';
import { statsUniquesCommand } from './stats-uniques';

const HELP = `
Without a statistic: the last seven days at a glance. \`weir stats list\` says which there are, and what each can be asked.
Times are ISO 8601 (2026-11-28, 2026-11-28T13:00:00Z), seconds since 1970, or now-7d, now-24h, today, this-month; the end
is not included. All times are UTC. \`~\` and \`·\` are times in which the flow was down: their numbers may not be whole.
The read API is STATS_URL, and who asks is STATS_USER and STATS_PASSWORD, or STATS_KEY; without STATS_URL it is what
\`npm start\` wrote into .weir/endpoints.json.

Examples:
  weir stats
  weir stats pulls --from now-30d --by organization --top 5
  weir stats pulls --from this-year --interval day --weekday tuesday
  weir stats pulls --where organization=seqera.io --interval day --compare previous
  weir stats builds --by outcome --watch
  weir stats pulls --from now-365d --by repository --csv > images.csv`;

/** `weir stats`: what has been counted, over the read API. */
export function statsCommand(io: Io): Command {
  return withShown(new Command('stats'))
    .description('ask what has been counted: usage over time, by organization, image, client …')
    .argument('[statistic]', 'what is asked: pulls, builds …')
    .option('-m, --measure <name>', 'which of its numbers (default: its first)')
    .option('--from <time>', 'from when on (default: now-7d)')
    .option('--to <time>', 'until when (default: now)')
    .option('-i, --interval <interval>', 'a number for each hour, day, week, month, year, 7d or 30d')
    .option('-b, --by <dimensions>', 'a number for each of these: organization,repository')
    .option('-t, --top <number>', 'only the largest so many', count)
    .option('--weekday <days>', 'only these days of the week: tuesday,friday')
    .option(
      '-w, --where <dimension=value>',
      'only where it is this; may be given again; nothing behind = is not known',
      filter,
    )
    .option('--compare <period>', 'beside the numbers before: previous or previous-year')
    .option('--fill', 'show intervals without anything as 0')
    .option(
      '-l, --limit <number>',
      `at most so many rows (default: all; on a terminal ${SCREENFUL}, with -i ${COURSE})`,
      count,
    )
    .option('--csv', 'rows as CSV')
    .option('--ndjson', 'rows as JSON, one on a line')
    .addHelpText('after', HELP)
    .enablePositionalOptions()
    .action(async (statistic: string | undefined, options: QueryOptions) => {
      if (statistic === undefined) return overview(io, options);
      await query(io, statistic, options);
    })
    .addCommand(statsListCommand(io))
    .addCommand(statsLatestCommand(io))
    .addCommand(statsUniquesCommand(io));
}

const OF_ALL = ['from', 'to', 'json', 'watch', 'stats'];

async function overview(io: Io, options: QueryOptions): Promise<void> {
  const more = Object.keys(options).find((name) => !OF_ALL.includes(name));
  if (more) throw wrongUsage(`--${more} needs a statistic: weir stats pulls --${more} …; see \`weir stats list\``);
  const api = apiOf(io, options);
  const range = [['from', options.from], ['to', options.to]] as const; // prettier-ignore
  await show(io, options, () => askOverview(api, range), { text: (found) => overviewText(io, found) });
}
