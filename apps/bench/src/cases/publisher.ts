import { join } from 'node:path';
import { createPublisher, type Publisher } from '@weir/bus';
import { until } from '@weir/testing';
import pino from 'pino';
import { Registry } from 'prom-client';
import { barePublish, messageOf } from '../bare-publish';
import type { Bench, Case } from '../case';
import { pullOf } from '../events';
import { keepInFlight } from '../in-flight';
import { inTurn, measured, perSecond } from '../measure';
import { atLeast, compared } from '../row';

const EVENTS = 25_000;
const WARM = 5000;
/** The publisher's window but for the part that is its spool's: what would be beyond it goes to the disk. */
const UNCONFIRMED = 3584;

/** Each event on its own, as the gateway publishes: encoded, in the window, confirmed, and the spool there for the rest. */
export const publisher: Case = {
  name: 'publisher',
  async run(bench) {
    const bare = await barePublish(bench, 'publisher');
    const weir = await openPublisher(bench, bare.amqp);
    const events = Array.from({ length: EVENTS }, (_, n) => pullOf(n));
    const messages = events.map(messageOf);
    const publish = async (count: number): Promise<void> => {
      await keepInFlight(count, UNCONFIRMED, (n, done) => {
        void weir
          .publish(events[n] as (typeof events)[number])
          .then((where) => done(where === 'confirmed' ? undefined : new Error('an event went to the spool')), done);
      });
    };
    await bare.publish(messages.slice(0, WARM), UNCONFIRMED);
    await publish(WARM);

    const cpu = { bare: [] as number[], weir: [] as number[] };
    const side = (figures: number[], work: () => Promise<void>) => async () => {
      await bare.purge();
      const before = process.cpuUsage();
      const rate = await perSecond(EVENTS, work);
      const { user, system } = process.cpuUsage(before);
      figures.push((user + system) / EVENTS);
      return rate;
    };
    const rates = await inTurn(
      bench.rounds,
      {
        bare: side(cpu.bare, () => bare.publish(messages, UNCONFIRMED)),
        weir: side(cpu.weir, () => publish(EVENTS)),
      },
      bench.progress,
    );
    return [
      compared({
        name: 'publisher: confirms, spool armed, against bare confirmed publish',
        unit: 'events/s',
        value: rates.weir,
        limit: rates.bare,
        target: atLeast(0.85),
        note: `${UNCONFIRMED} unconfirmed at most, to every queue of the topology`,
      }),
      compared({
        name: 'publisher: processor time of its process, against bare publish of encoded bodies',
        unit: 'us/event',
        value: measured(cpu.weir),
        limit: measured(cpu.bare),
      }),
    ];
  },
};

async function openPublisher({ dir, onEnd }: Bench, url: string): Promise<Publisher> {
  const log = pino({ level: 'silent' });
  const opened = createPublisher({ url, spoolDir: join(dir, 'spool'), log, metrics: new Registry(), source: 'bench' });
  onEnd(() => opened.close());
  await until(() => opened.ready() === true && opened.owning() === true);
  return opened;
}
