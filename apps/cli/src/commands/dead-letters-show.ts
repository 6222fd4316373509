import { Command } from 'commander';
import { withBroker } from '../broker';
import type { DeadLetter } from '../dead-letters/letter';
import { amqpUrl } from '../endpoints';
import { clean, CliError, colours, forPeople, print, type Io } from '../io';
import { eachLetter } from './dead-letters-list';
import { withSelection, type Selection } from './dead-letters-options';

/** Letters of one worker that may have one id: of several sources, or parked several times. */
const MAX_SHOWN = 20;

/** `weir dead-letters show`: all that is known of one letter. */
export function showCommand(io: Io): Command {
  return withSelection(new Command('show'))
    .description('show a dead letter whole: its body, its reason, how often it was tried; in every queue that has it')
    .argument('<id>', 'id of its event, or what list shows as its id')
    .action(async (id: string, options: Selection) => {
      let shown = 0;
      const show = async (letter: DeadLetter): Promise<void> => {
        shown += 1;
        await print(io.stdout, forPeople(io, options) ? page(io, letter) : JSON.stringify(letter));
      };
      await withBroker(amqpUrl(io, options.amqp), (connection) =>
        eachLetter(io, connection, { ...options, id: [id] }, MAX_SHOWN, show),
      );
      if (shown === 0) throw new CliError(`there is no such dead letter: ${clean(id)}`);
    });
}

function page(io: Io, letter: DeadLetter): string {
  const paint = colours(io);
  const { id, worker, before, reason, error, time, replays, event, body, bytes } = letter;
  const line = (name: string, text: string) => `${paint.dim(name.padEnd(9))} ${text}`;
  const tries = [...before, { reason, error, time }].map((each, n) => {
    const when = clean(each.time) || 'at a time that nobody wrote down';
    return line(
      n === 0 ? 'parked' : 'again',
      `${when}  ${paint.yellow(clean(each.reason))}: ${clean(each.error, 2000)}`,
    );
  });
  const text = event ? JSON.stringify(event, null, 2) : (body ?? '');
  return [
    `${paint.bold(clean(id))} of ${paint.bold(clean(worker))}`,
    ...tries,
    line('replayed', replays === 1 ? 'once' : `${replays} times`),
    line('body', event ? `${bytes} bytes` : `${bytes} bytes, no JSON object`),
    ...text.split('\n').map((each) => `  ${clean(each, 2000)}`),
    '',
  ].join('\n');
}
