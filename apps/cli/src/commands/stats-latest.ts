import { Command } from 'commander';
import { colours, clean, type Io } from '../io';
import { latestAnswer, type LatestAnswer } from '../stats/answers';
import { fitted, widthOf } from '../stats/layout';
import { NAME, nameOf } from '../stats/rows';
import { apiOf, filter, show, withShown, type Shown } from '../stats/show';
import { count } from './dead-letters-options';

interface Options extends Shown {
  by?: string;
  where?: (readonly [string, string])[];
  limit: number;
}

const HELP = `
\`weir stats list\` says of which dimensions the latest is kept.

Examples:
  weir stats latest pulls --by repository
  weir stats latest audit --by namespace,entityType,entityName,action --where namespace=default`;

/** `weir stats latest`: when each was last pulled, built, read … */
export function statsLatestCommand(io: Io): Command {
  return withShown(new Command('latest'))
    .description('when it last happened, for each image, organization … the newest first')
    .argument('<statistic>', 'what is asked: pulls')
    .option('-b, --by <dimensions>', 'for each of these: repository')
    .option(
      '-w, --where <dimension=value>',
      'only where it is this; may be given again; nothing behind = is not known',
      filter,
    )
    .option('-l, --limit <number>', 'at most so many', count, 50)
    .addHelpText('after', HELP)
    .action(async (statistic: string, options: Options) => {
      const api = apiOf(io, options);
      const parameters = [
        ['statistic', statistic], ['by', options.by], ['limit', String(options.limit)], ...(options.where ?? []),
      ] as const; // prettier-ignore
      await show(io, options, () => api.ask('/v1/latest', parameters, latestAnswer), { text: (answer) => textOf(io, answer) }); // prettier-ignore
    });
}

function textOf(io: Io, { statistic, by, rows }: LatestAnswer): string {
  if (rows.length === 0) return `nothing of ${clean(statistic, 80)} is known`;
  const columns = by.map((dimension) => ({
    head: clean(dimension, 40), cells: rows.map((row) => nameOf(row[dimension])), least: NAME,
  })); // prettier-ignore
  const times = rows.map(({ time }) => clean(time, 40).replace(/\.\d+Z$/, 'Z'));
  return fitted([...columns, { head: 'latest', cells: times, paint: colours(io).cyan }], widthOf(io));
}
