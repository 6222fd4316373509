import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from '../case';
import { APPS } from '../system';

/** Processes are stopped as usual, stand still, or have a wrong clock: F28, F30, F54, F55. */

const CLOCK = join(__dirname, '../../src/preload/clock.js');
const HOUR_MS = 3_600_000;

export const processCases: readonly Case[] = [
  {
    id: 'F28',
    title: 'the connection to the broker goes while a store still has a batch: its late ack goes nowhere',
    system: 'shared',
    async play(world) {
      const worker = world.app('redis-worker');
      const linesBefore = readFileSync(worker.logFile, 'utf8').length;
      world.load({ perSecond: 500 });
      for (let times = world.thorough ? 10 : 3; times > 0; times -= 1) {
        world.link('redis-worker>redis').delay(600);
        await world.pause(800);
        world.link('redis-worker>rabbitmq').cut();
        await world.pause(1_200);
        await world.link('redis-worker>redis').heal();
        await world.pause(500);
      }
      const said = readFileSync(worker.logFile, 'utf8').slice(linesBefore);
      if (/PRECONDITION|unknown delivery tag/i.test(said)) throw new Error('an ack went to another channel than its message came by'); // prettier-ignore
    },
  },
  {
    id: 'F30',
    title: 'a worker stands still for longer than the broker waits for its heartbeats',
    system: 'shared',
    long: true,
    async play(world) {
      world.load();
      world.watchLag(['influx', 'mongo']);
      await world.pause(1_000);
      world.app('redis-worker').suspend();
      await world.pause(35_000);
      world.app('redis-worker').resume();
      await world.pause(2_000);
    },
  },
  {
    id: 'F54',
    title: 'every app asked to stop under load, again and again',
    system: 'shared',
    async play(world) {
      world.load({ perSecond: 600 });
      for (let rounds = world.thorough ? 5 : 2; rounds > 0; rounds -= 1) {
        for (const name of world.random.shuffled(APPS)) {
          await world.pause(world.random.between(200, 800));
          // One that is still loading knows no SIGTERM yet, and has nothing to finish.
          await world.until(`${name} has loaded`, async () => (await world.app(name).readiness()) !== undefined);
          const code = await world.app(name).stop();
          if (code !== 0) throw new Error(`${name} ended with exit code ${code} after SIGTERM`);
          world.app(name).start();
        }
      }
      await world.pause(1_000);
    },
  },
  {
    id: 'F55',
    title: 'apps whose clocks are an hour ahead or behind, events of leap days and of the last millisecond of a day',
    system: 'shared',
    async play(world) {
      const times = ['2024-02-29T23:59:59.999Z', '2024-03-01T00:00:00.000Z', '2023-12-31T23:59:59.999Z', '2025-03-30T01:30:00.000Z']; // prettier-ignore
      const odd = world.stream('odd-days', (event, number) => ({
        ...event,
        time: times[number % times.length] ?? event.time,
      }));
      world.load();
      for (const shiftMs of [HOUR_MS, -HOUR_MS, 0]) {
        for (const name of APPS) {
          await world.app(name).stop();
          world
            .app(name)
            .start(shiftMs === 0 ? {} : { NODE_OPTIONS: `--require ${CLOCK}`, CLOCK_SHIFT_MS: String(shiftMs) });
        }
        await Promise.all(APPS.map((name) => world.app(name).ready()));
        const events = Array.from({ length: 80 }, () => odd.issue());
        for (const event of (await world.http.post(events)).taken) odd.acknowledge(event);
        await world.pause(1_500);
        for (const name of APPS) {
          const lag = (await world.app(name).metric('weir_worker_lag_seconds')) ?? 0;
          if (lag < 0) throw new Error(`${name} tells of a lag of ${lag} s`);
        }
      }
    },
  },
];
