import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import type { Case, World } from '../case';
import { createHttpPublisher, type HttpPublisher } from '../http-publisher';
import type { Stream } from '../journal';
import { pause } from '../wait';

/** Too many connections, too few descriptors: F60. */

const PRLIMIT = '/usr/bin/prlimit';
const IDLE = 2_000;

/** Clients that connect and say nothing, and come back when they are sent away. */
function holdIdle(url: string, count: number) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let stopped = false;
  let refused = 0;
  const open = (): void => {
    if (stopped) return;
    const socket = connect({ host: hostname, port: Number(port) });
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      refused += 1;
      setTimeout(open, 1_000).unref();
    });
  };
  for (let left = count; left > 0; left -= 1) open();
  return {
    /** How often one was sent away. */
    refused: () => refused,
    stop() {
      stopped = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** One client on one connection that it keeps: every one of its events must be taken, at once. */
function keepPosting(http: HttpPublisher, stream: Stream) {
  const problems: string[] = [];
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      const event = stream.issue();
      try {
        const { status, taken } = await http.post([event]);
        if (taken.length === 1) stream.acknowledge(event);
        else problems.push(`answer ${status}`);
      } catch (error) {
        problems.push((error as Error).message);
      }
      await pause(50);
    }
  })();
  return {
    problems,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

/** Nobody new is served while `full` lasts, who was there is served all along, and afterwards everybody is. */
async function crowded(world: World, during: (refused: () => number) => Promise<void>): Promise<void> {
  const { ingest } = world.system;
  const existing = createHttpPublisher(ingest);
  const posting = keepPosting(existing, world.stream('existing'));
  await world.pause(1_000);
  const idle = holdIdle(ingest.url, IDLE);
  try {
    await during(idle.refused);
    if (posting.problems.length > 0)
      throw new Error(`a client that was there before got ${posting.problems.length} times: ${posting.problems[0]}`);
    world.note(`${idle.refused()} connections refused`);
  } finally {
    idle.stop();
    world.system.mended();
    await posting.stop();
    existing.close();
  }
  const stream = world.stream('afterwards');
  const event = stream.issue();
  const newcomer = createHttpPublisher(ingest);
  await world.until('a new client is served again', async () => {
    const { taken } = await newcomer.post([event]);
    if (taken.length === 1) stream.acknowledge(event);
    return taken.length === 1;
  });
  newcomer.close();
}

/** A client that comes new is turned away: no answer, or 503. */
async function newcomerIsRefused(world: World): Promise<void> {
  const newcomer = createHttpPublisher(world.system.ingest);
  const stream = world.stream(`newcomer-${Math.round(performance.now())}`);
  await world.until('a new client is turned away', async () => {
    const event = stream.issue();
    try {
      const { taken } = await newcomer.post([event]);
      if (taken.length === 1) stream.acknowledge(event);
      return taken.length === 0;
    } catch {
      return true;
    }
  });
  newcomer.close();
}

/** Sets how many files a process may have open; the hard limit stays, so that it can be raised again. */
function limitDescriptors(pid: number, limit: number): void {
  execFileSync(PRLIMIT, [`--pid=${pid}`, `--nofile=${limit}:`]);
}

export const connectionCases: readonly Case[] = [
  {
    id: 'F60',
    title: `${IDLE} idle connections to ingest: new clients are refused, old ones served, then all`,
    system: 'shared',
    play: (world) =>
      crowded(world, async (refused) => {
        await world.until('connections are refused', () => refused() > 0);
        await newcomerIsRefused(world);
        await world.pause(world.thorough ? 30_000 : 8_000);
        const { descriptors = 0 } = world.app('ingest').resources() ?? {};
        world.note(`ingest had ${descriptors} descriptors open`);
        if (descriptors > 1_000) throw new Error(`ingest has ${descriptors} descriptors open`);
      }),
  },
  {
    id: 'F60-files',
    title: 'ingest has no descriptor left, and then no broker either: nothing is acknowledged that is not safe',
    system: 'own',
    long: true,
    needs: () => existsSync(PRLIMIT) || 'prlimit (util-linux) is not installed',
    async play(world) {
      const ingest = world.app('ingest');
      const { pid } = ingest;
      const { descriptors = 0 } = ingest.resources() ?? {};
      if (pid === undefined) throw new Error('ingest does not run');
      await crowded(world, async () => {
        limitDescriptors(pid, descriptors + 10);
        await newcomerIsRefused(world);
        await world.pause(5_000);
      }).finally(() => limitDescriptors(pid, 10_000));
      // A spool file needs a descriptor, too. A refusal (503) is right here; the oracle sees to what was said to be taken.
      world.load();
      await world.pause(1_000);
      limitDescriptors(pid, 3);
      await world.link('ingest>rabbitmq').refuse();
      await world.pause(5_000);
      limitDescriptors(pid, 10_000);
      await world.link('ingest>rabbitmq').heal();
    },
  },
];
