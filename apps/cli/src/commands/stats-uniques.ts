import { Command } from 'commander';
import { clean, colours, type Io } from '../io';
import { uniquesAnswer, type UniquesAnswer } from '../stats/answers';
import { fitted, widthOf } from '../stats/layout';
import { notesText, type Note } from '../stats/notes';
import { quantity } from '../stats/numbers';
import { apiOf, show, withShown, type Shown } from '../stats/show';

interface Options extends Shown {
  from?: string;
  to?: string;
  organization?: string;
  repository?: string;
}

const HELP = `
An estimate; days are not to be added up, for a source of two days is one (docs/uniques.md). Days are UTC, both included.

Examples:
  weir stats uniques
  weir stats uniques --from 2026-11-01 --to 2026-11-28 --repository library/alpine`;

const DAY_MS = 86_400_000;

/** `weir stats uniques`: how many different sources pulled. */
export function statsUniquesCommand(io: Io): Command {
  return withShown(new Command('uniques'))
    .description('how many different sources pulled: in all, of an organization or of an image')
    .option('--from <day>', 'first day, YYYY-MM-DD (default: six days ago)')
    .option('--to <day>', 'last day, YYYY-MM-DD (default: today)')
    .option('--organization <name>', 'only of this organization')
    .option('--repository <name>', 'only of this image')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const api = apiOf(io, options);
      const { organization, repository } = options;
      const ask = () => {
        const [from, to] = [options.from ?? dayBefore(6), options.to ?? dayBefore(0)];
        const parameters = [['from', from], ['to', to], ['organization', organization], ['repository', repository]] as const; // prettier-ignore
        return api.ask('/uniques', parameters, uniquesAnswer);
      };
      await show(io, options, ask, { text: (answer) => textOf(io, answer) });
    });
}

const dayBefore = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length);

function textOf(io: Io, answer: UniquesAnswer): string {
  const { days } = answer;
  const values = days.map(({ sources }) => sources ?? 0);
  const columns = [
    { head: 'day', cells: days.map(({ day }) => clean(day, 20)) },
    {
      head: 'sources',
      cells: days.map(({ sources }) => (sources === null ? 'not kept' : quantity(sources))),
      right: true,
    },
  ];
  return `${fitted(columns, widthOf(io), { values, paint: colours(io).cyan })}\n${notesText(io, notesOf(answer))}`;
}

function notesOf({
  from,
  to,
  sources,
  error,
  atMost,
  outsideRetention,
  leftOut,
  organization,
  repository,
}: UniquesAnswer): Note[] {
  const of = organization ?? repository;
  const range = `${clean(from, 40)} to ${clean(to, 40)} UTC`;
  const notes: Note[] = [
    { text: `${quantity(sources)} different sources${of ? ` of ${clean(of)}` : ''}, ${range}; an estimate, ± ${quantity(Math.round(error * 10_000) / 100)} %` },
  ]; // prettier-ignore
  if (atMost) notes.push({ text: 'at most: a source of two months is counted twice' });
  if (outsideRetention)
    notes.push({ text: `${quantity(outsideRetention)} days are kept no longer, and missing in it`, warning: true });
  if (leftOut) notes.push({ text: `up to ${quantity(leftOut)} names a day had no room: if this is one of them, the number is too low`, warning: true }); // prettier-ignore
  return notes;
}
