import type { ChannelModel } from 'amqplib';
import { declareOn, neededToPublish, WORKERS } from '@weir/bus';
import { Command } from 'commander';
import { ask, canAsk } from '../ask';
import { withBroker } from '../broker';
import { filterOf } from '../dead-letters/filter';
import { headersBack, readLetter, restingQueueOf, UNROUTED_NAME, wayBackOf, type DeadLetter } from '../dead-letters/letter'; // prettier-ignore
import { createSender, type Sender } from '../dead-letters/sender';
import { walk, type Verdict } from '../dead-letters/walk';
import { amqpUrl } from '../endpoints';
import { CliError, exitCodes, forPeople, print, type Io } from '../io';
import { createGroups, tableOfGroups } from './dead-letters-groups';
import { tellWhatWasLeftOut } from './dead-letters-list';
import { count, EVERYWHERE, FILTER_HELP, filterIn, withSelection, type Selection } from './dead-letters-options';

type Action = 'replay' | 'discard';

interface Options extends Selection {
  limit?: number;
  yes?: boolean;
  dryRun?: boolean;
}

const WORDS = {
  replay: {
    done: 'replayed',
    about: 'send dead letters back, each to its own worker; those that are meant, or all',
    help: `
A letter leaves the dead letters when the broker has it in the queue of its worker for good; if this is killed between
the two it is in both, and a worker counts it once all the same. Letters of ${UNROUTED_NAME} go to every worker.`,
  },
  discard: {
    done: 'discarded',
    about: 'throw dead letters away; those that are meant, or all',
    help: `
What is thrown away is gone. In a pipe each letter is written out whole before it goes: keep that.`,
  },
} as const;

/** `weir dead-letters replay` and `discard`: both take letters away, the one after it has sent them back. */
export function removeCommand(io: Io, action: Action, exit: (code: number) => void): Command {
  return withSelection(new Command(action))
    .description(WORDS[action].about)
    .option('--id <id...>', 'only with these ids')
    .option('-l, --limit <number>', 'at most so many of each worker, the oldest first', count)
    .option('-y, --yes', 'do it; without this a terminal is asked, and nothing else does more than look')
    .option('--dry-run', 'show what would be done, and do nothing')
    .addHelpText('after', helpOf(action))
    .action(async (options: Options) => {
      if (options.yes && options.dryRun) throw new CliError('--yes and --dry-run exclude each other', exitCodes.usage);
      const complete = await withBroker(amqpUrl(io, options.amqp), (connection) =>
        run(io, action, options, connection),
      );
      if (!complete) exit(exitCodes.found);
    });
}

const helpOf = (action: Action) => `${WORDS[action].help}
${FILTER_HELP}

Examples:
  weir dead-letters ${action} --worker redis --reason 'refused by the store'
  weir dead-letters ${action} --worker influx --older-than 2d --yes
  weir dead-letters ${action} --id 0195d0a8-… --yes${action === 'discard' ? ' > discarded.jsonl' : ''}`;

async function run(io: Io, action: Action, options: Options, connection: ChannelModel): Promise<boolean> {
  if (options.yes) return perform(io, action, options, connection, undefined);
  const { complete, meant } = await rehearse(io, action, options, connection);
  const total = [...meant.values()].reduce((sum, letters) => sum + letters, 0);
  if (total === 0 || io.signal.aborted) return complete;
  if (options.dryRun || options.json || !canAsk(io)) {
    io.stderr.write(`weir: nothing was changed; --yes would ${action} ${letters(total)}\n`);
    return complete;
  }
  if (!(await ask(io, `${action === 'replay' ? 'Replay' : 'Discard'} ${letters(total)}?`))) {
    io.stderr.write('weir: nothing was changed\n');
    return complete;
  }
  return perform(io, action, options, connection, meant);
}

const letters = (number: number) => (number === 1 ? '1 letter' : `${number} letters`);

/** Shows what would be done. */
async function rehearse(io: Io, action: Action, options: Options, connection: ChannelModel) {
  const meant = new Map<string, number>();
  const complete = await pass(io, options, connection, undefined, async (letter, report) => {
    await report(letter, `would-${action}`);
    meant.set(letter.worker, (meant.get(letter.worker) ?? 0) + 1);
    return { goes: false };
  });
  return { complete, meant };
}

/** Does it; of each worker no more letters than `atMost` says, where somebody was asked about so many. */
async function perform(
  io: Io,
  action: Action,
  options: Options,
  connection: ChannelModel,
  atMost: ReadonlyMap<string, number> | undefined,
): Promise<boolean> {
  const { done } = WORDS[action];
  if (action === 'discard') {
    return pass(io, options, connection, atMost, async (letter, report) => {
      await report(letter, done); // before it goes: what was written out can be kept
      return { goes: true };
    });
  }
  return withBroker(amqpUrl(io, options.amqp), async (publishing) => {
    const sender = await createSender(publishing);
    let declared: Promise<unknown> | undefined;
    const complete = await pass(io, options, connection, atMost, async (letter, report, message) => {
      // Without queues the events of `unrouted` would only come back to where they are.
      if (letter.worker === UNROUTED_NAME) await (declared ??= declareOn(publishing, WORKERS, neededToPublish));
      const sent = await sender.send(wayBackOf(letter.worker), message, headersBack(message, letter));
      const goes = sent.done.then(async (confirmed) => {
        await report(letter, confirmed ? done : 'kept');
        return confirmed;
      });
      return { goes, last: sender.failure() !== undefined };
    });
    return tellFailure(io, sender) && complete;
  });
}

function tellFailure(io: Io, sender: Sender): boolean {
  const why = sender.failure();
  if (why !== undefined) io.stderr.write(`weir: ${why}. What was not taken is among the dead letters still\n`);
  return why === undefined;
}

type Message = Parameters<Parameters<typeof walk>[1]['visit']>[0];
type Report = (letter: DeadLetter, what: string) => Promise<void>;

/**
 * One pass through the letters that are meant, of one worker after the other. In a pipe each is reported as a line of
 * JSON; on a terminal they are counted, and shown as a table in the end.
 *
 * @returns whether every one of them could be reached.
 */
async function pass(
  io: Io,
  options: Options,
  connection: ChannelModel,
  atMost: ReadonlyMap<string, number> | undefined,
  visit: (letter: DeadLetter, report: Report, message: Message) => Promise<Verdict>,
): Promise<boolean> {
  const meant = filterOf(filterIn(options), new Date());
  const counts = new Map<string, ReturnType<typeof createGroups>>();
  let printed: Promise<void> = Promise.resolve(); // one line after the other: many letters are under way at a time
  const report: Report = async (letter, what) => {
    if (!forPeople(io, options)) {
      const line = JSON.stringify({ action: what, ...letter });
      return (printed = printed.then(() => print(io.stdout, line)));
    }
    const groups = counts.get(what) ?? createGroups();
    counts.set(what, groups);
    groups.add(letter);
  };
  let complete = true;
  let ended = false;
  for (const worker of options.worker ?? EVERYWHERE) {
    let left = Math.min(options.limit ?? Infinity, atMost ? (atMost.get(worker) ?? 0) : Infinity);
    if (left === 0 || ended) continue;
    const walked = await walk(connection, {
      queue: restingQueueOf(worker),
      signal: io.signal,
      async visit(message) {
        const letter = readLetter(message, worker);
        if (!meant(letter)) return { goes: false };
        left -= 1;
        const verdict = await visit(letter, report, message);
        ended ||= verdict.last === true;
        return { ...verdict, last: verdict.last === true || left === 0 };
      },
    });
    if (tellWhatWasLeftOut(io, worker, walked)) complete = false;
  }
  if (forPeople(io, options)) {
    if (counts.size === 0) await print(io.stdout, 'there are no such dead letters');
    for (const [what, groups] of counts) await print(io.stdout, `${what}:\n${tableOfGroups(io, groups.all())}`);
  }
  return complete;
}
