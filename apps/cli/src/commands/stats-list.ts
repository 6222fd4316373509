import { Command } from 'commander';
import { clean, colours, type Io } from '../io';
import { statisticsAnswer, type Statistic } from '../stats/answers';
import { widthOf, wrapped } from '../stats/layout';
import { notesText, stateNotes } from '../stats/notes';
import { apiOf, NO_STATISTICS, show, withShown, type Shown } from '../stats/show';

const HELP = `
Dimensions with + between them can be asked for together (--by, --where).

Examples:
  weir stats list
  weir stats list --json | jq -r '.statistics[].name'`;

/** `weir stats list`: what can be asked. */
export function statsListCommand(io: Io): Command {
  return withShown(new Command('list'))
    .description('which statistics there are, and what each can be asked')
    .addHelpText('after', HELP)
    .action(async (options: Shown) => {
      const api = apiOf(io, options);
      await show(io, options, () => api.ask('/v1/statistics', [], statisticsAnswer), { text: (answer) => textOf(io, answer) }); // prettier-ignore
    });
}

function textOf(io: Io, { statistics }: { statistics: readonly Statistic[] }): string {
  if (statistics.length === 0) return NO_STATISTICS;
  return statistics.map((each) => sheetOf(io, each)).join('\n\n');
}

function sheetOf(io: Io, statistic: Statistic): string {
  const paint = colours(io);
  const { name, summary, state, measures, dimensions, groups, latest } = statistic;
  const joined = (some: readonly (readonly string[])[]) => some.filter(({ length }) => length > 0).map((group) => group.join('+')); // prettier-ignore
  const lines = [
    ...labelled(io, 'measures', Object.entries(measures).map(([key, { unit }]) => (unit ? `${key} (${unit})` : key))),
    ...labelled(io, 'dimensions', Object.keys(dimensions)),
    ...labelled(io, 'groups', joined(groups)),
    ...labelled(io, 'latest', joined(latest)),
  ]; // prettier-ignore
  const notes = stateNotes(statistic);
  return [
    `${paint.bold(clean(name, 80))}  ${paint.dim(clean(state, 20))}`,
    ...wrapped(clean(summary, 400), widthOf(io) - 2).map((line) => `  ${line}`),
    ...lines,
    ...(notes.length > 0 ? [notesText(io, notes)] : []),
  ].join('\n');
}

const LABEL = 12;

function labelled(io: Io, label: string, values: readonly string[]): string[] {
  if (values.length === 0) return [];
  const lines = wrapped(values.map((value) => clean(value)).join(', '), widthOf(io) - LABEL - 2);
  return lines.map((line, at) => `  ${colours(io).dim((at === 0 ? label : '').padEnd(LABEL))}${line}`);
}
