import type { PrivateServer, RabbitmqCluster } from '@weir/testing';
import type { Faults } from './proxy';

/** A server that can be broken, and that knows how to get well again. */
export interface BreakableServer {
  /** SIGKILL; it stays away until `start`. */
  kill(): Promise<void>;
  /** SIGTERM, and its own time to end. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP: connections are accepted by the kernel, nothing is answered. */
  suspend(): void;
  resume(): void;
  /** Whatever was done to it: it runs and answers. */
  repair(): Promise<void>;
}

/** @param onRepair called whenever it works again */
export function breakable(server: PrivateServer, onRepair: () => void): BreakableServer {
  let state: 'running' | 'suspended' | 'down' = 'running';
  const start = async (): Promise<void> => {
    if (state !== 'down') return;
    await server.start();
    state = 'running';
    onRepair();
  };
  const resume = (): void => {
    if (state !== 'suspended') return;
    server.resume();
    state = 'running';
    onRepair();
  };
  return {
    async kill() {
      state = 'down';
      await server.kill();
    },
    async stop() {
      state = 'down';
      await server.stop();
    },
    start,
    suspend() {
      server.suspend();
      state = 'suspended';
    },
    resume,
    async repair() {
      resume();
      await start();
    },
  };
}

/** Three brokers in one cluster; beyond this its nodes may be broken one by one, and the ways between them. */
export function breakableCluster(cluster: RabbitmqCluster, onRepair: () => void): BreakableServer {
  const start = async (): Promise<void> => {
    await cluster.start();
    onRepair();
  };
  const resume = (): void => {
    cluster.resume();
    onRepair();
  };
  return {
    kill: () => cluster.kill(),
    stop: () => cluster.stop(),
    start,
    suspend: () => cluster.suspend(),
    resume,
    async repair() {
      cluster.heal();
      cluster.resume();
      await cluster.start();
      await cluster.whole(120_000);
    },
  };
}

/** A server that is not ours to kill: what can be done is to cut the ways to it. */
export function foreign(links: Faults): BreakableServer {
  return {
    kill: () => links.refuse(),
    stop: () => links.refuse(),
    start: () => links.heal(),
    suspend: () => links.blackHole(),
    resume: () => void links.heal(),
    repair: () => links.heal(),
  };
}
