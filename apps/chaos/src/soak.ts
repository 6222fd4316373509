import type { Case, World } from './case';
import { createRandom, type Random } from './random';
import { createResourceWatch } from './resources';
import { APPS, LINKS, SERVERS, type AppName, type LinkName, type ServerName } from './system';

/** One thing that goes wrong and is mended again, for the random schedule of F62. */
interface Fault {
  name: string;
  /** How likely it is beside the others. */
  weight: number;
  /** What it can befall; nothing is struck twice at a time. */
  targets: readonly string[];
  /** Ends the life of an app: not in the second half, so that lives are long enough to show what grows in them. */
  endsApp?: boolean;
  strike(world: World, target: string, random: Random): Promise<void>;
}

const fault = <Target extends string>(
  name: string,
  weight: number,
  targets: readonly Target[],
  strike: (world: World, target: Target, random: Random) => Promise<void>,
): Fault => ({ name, weight, targets, strike: strike as Fault['strike'] });

const endingApp = (each: Fault): Fault => ({ ...each, endsApp: true });

/** The catalogue's faults that can come at any moment and in any order: F02 to F06, F20 to F23, F34 to F43, F48, F54. */
const faults: readonly Fault[] = [
  fault('killed', 3, SERVERS, async ({ servers, pause }, name: ServerName, random) => {
    await servers[name].kill();
    await pause(random.between(0, 6_000));
    await servers[name].start();
  }),
  fault('frozen', 2, SERVERS, async ({ servers, pause }, name: ServerName, random) => {
    servers[name].suspend();
    await pause(random.between(500, 12_000));
    servers[name].resume();
  }),
  endingApp(
    fault('killed', 5, APPS, async ({ app, pause }, name: AppName, random) => {
      await app(name).kill();
      await pause(random.between(0, 3_000));
      app(name).start();
    }),
  ),
  endingApp(
    fault('told to stop', 2, APPS, async ({ app }, name: AppName) => {
      // One that is still loading knows no SIGTERM, and has nothing to finish.
      if ((await app(name).readiness()) === undefined) return;
      const code = await app(name).stop();
      app(name).start();
      if (code !== 0) throw new Error(`${name} ended with exit code ${code} after SIGTERM`);
    }),
  ),
  fault('frozen', 2, APPS, async ({ app, pause }, name: AppName, random) => {
    app(name).suspend();
    await pause(random.between(500, 12_000));
    app(name).resume();
  }),
  fault('cut', 4, LINKS, async ({ link, pause }, name: LinkName, random) => {
    for (let times = random.between(1, 5); times > 0; times -= 1) {
      link(name).cut();
      await pause(random.between(10, 500));
    }
  }),
  fault('broken', 5, LINKS, async ({ link, pause }, name: LinkName, random) => {
    const how = random.pick(['refuse', 'hold', 'hold one way', 'slow', 'half open'] as const);
    if (how === 'refuse') await link(name).refuse();
    if (how === 'hold') link(name).blackHole();
    if (how === 'hold one way') link(name).blackHole(random.pick(['toServer', 'toClient'] as const));
    if (how === 'slow') link(name).delay(random.between(20, 400));
    if (how === 'half open') link(name).halfOpen();
    await pause(random.between(500, 12_000));
    await link(name).heal();
  }),
  ...(
    [
      ['redis-worker>redis', 'evalsha'],
      ['influx-worker>influxdb', 'POST /write'],
      ['mongo-worker>mongodb', 'insert'],
      ['clients>ingest', 'POST /events'],
    ] as const
  ).map(([link, containing]) =>
    fault('robbed of replies', 1, [link], async (world, name: LinkName, random) => {
      world.link(name).dropReplies({ containing, times: random.between(1, 4) });
      await world.pause(random.between(500, 4_000));
      await world.link(name).heal();
    }),
  ),
];

/** Faults at one time at most: what no single fault does, two together may. */
const LANES = 2;

/** F62: faults at random under load, for so many minutes. */
export function soakOf(minutes: number): Case {
  return {
    id: 'F62',
    title: `random faults under load for ${minutes} min`,
    system: 'own',
    timeoutMs: (minutes + 5) * 60_000,
    async play(world) {
      const resources = createResourceWatch(world.system.apps());
      const struck = new Set<string>();
      let count = 0;
      world.load({ perSecond: 150 });
      await world.pause(2_000);
      const begun = performance.now();
      const until = begun + minutes * 60_000;
      const possible = () => faults.filter(({ endsApp }) => !endsApp || performance.now() < begun + minutes * 30_000);

      /** Each lane has choices of its own, so that the same seed makes the same ones again. */
      const lane = async (random: Random): Promise<void> => {
        while (performance.now() < until) {
          const chosen = random.pick(possible().flatMap((each) => Array<Fault>(each.weight).fill(each)));
          const target = random.pick(chosen.targets);
          if (!struck.has(target)) {
            struck.add(target);
            count += 1;
            world.log(`${target} ${chosen.name}`);
            await chosen.strike(world, target, random).finally(() => struck.delete(target));
          }
          await world.pause(random.between(200, 4_000));
        }
      };
      await Promise.all(Array.from({ length: LANES }, (_, at) => lane(createRandom(world.seed, 'F62', at))));
      await world.system.repair();
      await world.pause(5_000);
      world.note(`${count} faults`);
      const { lines, leaks } = resources.stop();
      for (const line of lines) world.note(line);
      if (leaks.length > 0) throw new Error(`${leaks.join(', ')} grows and grows`);
    },
  };
}
