import type { App } from '@weir/testing';
import type { SentEvent } from './events';
import type { HttpPublisher } from './http-publisher';
import type { AmqpPublisher } from './amqp-publisher';
import type { Stream } from './journal';
import type { Load, LoadOptions } from './load';
import type { StoreName, Stores } from './oracle';
import type { Faults, Link } from './proxy';
import type { Random } from './random';
import type { AppName, LinkName, ServerName, System } from './system';
import type { BreakableServer } from './server';

/** One entry of the catalogue of faults (reference reliability A.9). */
export interface Case {
  /** `F02`; a longer variant of it that only `--all` plays is `F04-60s`. */
  id: string;
  /** What happens, in a few words. */
  title: string;
  /** `own`: it destroys data on purpose, or leaves something behind; otherwise the system is shared by many cases. */
  system: 'shared' | 'own';
  /** Three brokers in one cluster instead of one; such a case has a system of its own. */
  cluster?: boolean;
  /** Only by `--all`, because it takes long. */
  long?: boolean;
  /** What this machine must have, checked before it is played: true, or why it cannot be played here. */
  needs?: () => true | string;
  /** How long `play` may take; 10 min unless told. */
  timeoutMs?: number;
  /** Apps that may end by themselves here; anywhere else that is a breach. */
  mayCrash?: readonly AppName[];
  /**
   * Breaks things. It need not mend them: when it returns, everything that was broken is repaired, the load ends, and
   * the oracle judges. @throws when what it expects of Weir beyond the oracle's promise is not so.
   */
  play(world: World): Promise<void>;
}

/** Everything that a case can touch. */
export interface World {
  readonly seed: number;
  /** Decided by the seed and the case. */
  readonly random: Random;
  /** True with `--all`: time does not matter. */
  readonly thorough: boolean;
  servers: Record<ServerName, BreakableServer>;
  link(name: LinkName): Link;
  linksTo(server: ServerName | 'ingest'): Faults;
  app(name: AppName): App;
  /** For what has no name of its own here. */
  system: System;
  stores: Stores;
  /** Clients; without a `stop` of its own the load goes on until the case is over and everything has been repaired. */
  load(options?: LoadOptions): Load;
  /** Events that a case sends by itself; `change` makes them what the case needs. */
  stream(name: string, change?: (event: SentEvent, number: number) => SentEvent): Stream;
  http: HttpPublisher;
  amqp: AmqpPublisher;
  /** Watches how far these stores are behind, until everything has been repaired; more than the limit is a breach. */
  watchLag(stores: readonly StoreName[], limitSeconds?: number): void;
  /** A word about what happens, for whoever watches. */
  log(text: string): void;
  /** Goes into the row. */
  note(text: string): void;
  pause(ms: number): Promise<void>;
  /** @throws when it does not come true within the time. */
  until(what: string, condition: () => unknown, timeoutMs?: number): Promise<void>;
}

/** The outcome of one case. */
export interface Row {
  case: string;
  title: string;
  seed: number;
  issued: number;
  acknowledged: number;
  /** Redis counts events of usage only: its number is to be held against `usage`. */
  applied: Record<StoreName, number>;
  /** Acknowledged events that count as usage. */
  usage: number;
  lost: number;
  duplicated: number;
  unknown: number;
  payloadDiffers: number;
  /** From the end of the last fault until every store had everything; null when that never came. */
  recoverySeconds: number | null;
  /** The largest lag of the stores that were not broken, where the case watches it. */
  otherStoresLagSeconds?: number;
  ok: boolean;
  /** What was wrong, or worth saying. */
  note?: string;
}
