import { earliestArrival, openHistory, queueOf } from '@weir/bus';
import type { WeirEvent } from '@weir/events';
import type { ChannelModel, Message } from 'amqplib';
import { Command } from 'commander';
import { replyCode, replyText, withBroker } from '../broker';
import { createSender } from '../dead-letters/sender';
import { amqpUrl } from '../endpoints';
import { createProgress, grouped } from '../history/progress';
import { dedupeDays } from '../history/stores';
import { momentOf } from '../history/window';
import { CliError, exitCodes, forPeople, print, type Io } from '../io';

interface Options {
  from: string;
  to: string;
  dryRun?: boolean;
  amqp?: string;
  json?: boolean;
}

const HELP = `
The events are those whose own time lies in the window, --to not included. They go into the queue of this worker
alone. Every worker knows an event again, so that what it has had already changes nothing; and a replay that was cut
off can be begun anew.

Examples:
  weir replay influx --from 2026-11-23T06:00:00Z --to 2026-11-23T08:00:00Z
  weir replay mongo --from 2026-11-22 --to 2026-11-23 --dry-run`;

/** `weir replay`: a window of the history to one worker, again. */
export function replayCommand(io: Io): Command {
  return new Command('replay')
    .description('send a window of the history to one worker again')
    .argument('<worker>', 'the worker: redis, influx, mongo or one of your own')
    .requiredOption('--from <time>', 'from this time on: RFC 3339, or a day')
    .requiredOption('--to <time>', 'and before this one')
    .option('--dry-run', 'count only, send nothing')
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--json', 'JSON on a terminal too')
    .addHelpText('after', HELP)
    .action(async (worker: string, options: Options) => {
      const [from, to] = [momentOf('--from', options.from), momentOf('--to', options.to)];
      if (to <= from) throw new CliError(`--to ${to} must lie after --from ${from}`, exitCodes.usage);
      warnOfOld(io, from);
      const url = amqpUrl(io, options.amqp);
      const done = await withBroker(url, async (reading) => {
        await checkQueue(reading, queueOf(worker));
        // A connection of its own: an alarm of the broker blocks those that publish.
        return withBroker(url, (sending) =>
          replay(io, { reading, sending }, { worker, from, to, dryRun: options.dryRun === true }),
        );
      });
      await print(
        io.stdout,
        forPeople(io, options)
          ? `${grouped(done.events)} of ${grouped(done.read)} events that were read ${done.sent ? 'went' : 'would go'} to ${queueOf(worker)}`
          : JSON.stringify({ worker, from, to, ...done }),
      );
    });
}

/** What the redis-worker has forgotten it counts again. */
function warnOfOld(io: Io, from: string): void {
  const days = dedupeDays(io);
  if (Date.now() - Date.parse(from) < days * 24 * 3600 * 1000) return;
  io.stderr.write(
    `weir: the window begins more than ${days} days ago (DEDUPE_DAYS): what the redis-worker has forgotten since, it ` +
      'would count again\n',
  );
}

async function checkQueue(connection: ChannelModel, queue: string): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  try {
    await channel.checkQueue(queue);
    await channel.close();
  } catch (error) {
    if (replyCode(error) !== 404) throw error;
    throw new CliError(`there is no queue ${queue}: is that a worker? \`weir topology\` shows all queues`);
  }
}

interface Wanted {
  worker: string;
  from: string;
  to: string;
  dryRun: boolean;
}

async function replay(
  io: Io,
  { reading, sending }: { reading: ChannelModel; sending: ChannelModel },
  { worker, from, to, dryRun }: Wanted,
) {
  const history = openHistory(reading);
  const sender = await createSender(sending);
  const end = await history.mark();
  const reader = await history.read(earliestArrival(from));
  const progress = createProgress(io, `replaying to ${queueOf(worker)}`);
  const underway = new Set<Promise<unknown>>();
  let [events, confirmed] = [0, 0];

  const send = async (event: WeirEvent, message: Message): Promise<void> => {
    // The properties that every publisher of Weir gives, also where whoever published it gave none.
    const properties = { ...message.properties, messageId: event.id, type: event.type };
    const { done } = await sender.send({ exchange: '', routingKey: queueOf(worker) }, { ...message, properties }, {});
    const heard = done.then((taken) => {
      if (taken) confirmed += 1;
      underway.delete(heard);
    });
    underway.add(heard);
    if (sender.failure() !== undefined) throw new Error(sender.failure());
  };
  try {
    await reader.until(end, async (batch) => {
      for (const { event, message } of batch.events) {
        if (io.signal.aborted) throw new Error('stopped');
        if (event.time < from || event.time >= to) continue;
        events += 1;
        if (!dryRun) await send(event, message);
      }
      progress.add(batch.events.length, reader.position());
    });
    await Promise.all(underway);
    if (sender.failure() !== undefined) throw new Error(sender.failure());
  } catch (error) {
    await Promise.all(underway);
    throw new CliError(
      `${replyText(error)}: ${grouped(confirmed)} events were sent. Begin anew: what comes twice has its effect once.`,
      io.signal.aborted ? exitCodes.found : exitCodes.unavailable,
    );
  } finally {
    progress.end();
    await reader.close();
  }
  return { read: progress.events(), events, sent: !dryRun };
}
