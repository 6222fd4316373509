import type { App, PrivateRabbitmq, PrivateServer } from '@weir/testing';
import type { Row } from './row';

/** One path of Weir, measured beside what bounds it. */
export interface Case {
  /** For `--only`, e.g. `redis-worker`. */
  name: string;
  /** Measures; a row for each figure. */
  run(bench: Bench): Promise<Row[]>;
}

/** What a case has to measure with. Everything that it starts is ended when it is over; the servers stay for the next. */
export interface Bench {
  /** An empty directory of the case's own, on the disk. */
  dir: string;
  servers: Servers;
  /** Where programs are found. */
  path: string;
  /** How often each side of a comparison is measured. */
  rounds: number;
  /** A compiled app, not started yet, with this environment and no other; ADMIN_PORT is added. */
  app(name: string, env: Readonly<Record<string, string>>): Promise<App>;
  /** What is to be undone when the case is over, however it ends; the last first. */
  onEnd(release: () => unknown): void;
  /** One short line of what goes on. */
  progress(text: string): void;
}

/** Real servers, each started when it is first asked for and shared by all cases. */
export interface Servers {
  rabbitmq(): Promise<PrivateRabbitmq>;
  /** With an append-only file that is synced every second. */
  redis(): Promise<PrivateServer>;
  influxdb(): Promise<PrivateServer>;
  /** MongoDB, or its stand-in where there is none; `found` says which. */
  mongodb(): Promise<PrivateServer>;
}
