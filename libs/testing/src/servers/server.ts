import type { Certificate } from '../certificates';

/** How a server was come by: see DESIGN section 6 and `findServers`. */
export type Found = 'url' | 'docker' | 'program' | 'stand-in';

/** A server that answers now, wherever it came from. */
export interface Server {
  /** `rabbitmq`, `redis`, `influxdb`, `mongodb` or `registry`. */
  readonly name: ServerName;
  /** Works as it stands, credentials included, e.g. `amqp://weir:…@127.0.0.1:21234`. */
  readonly url: string;
  readonly found: Found;
  /** One line for people: what it is, where, and why it was chosen. */
  readonly note: string;
  /** The processes that belong to it now; empty for a server that is not ours to stop. */
  readonly pids: readonly number[];
  /** Ends what was started for it and resolves when no process and no port is left; nothing for a server by URL. */
  stop(): Promise<void>;
}

/** A private instance: a program of our own, on free loopback ports, with its data in a directory of its own. */
export interface PrivateServer extends Server {
  /** Holds configuration, data and log; a second start in the same directory has the same data and credentials. */
  readonly dir: string;
  readonly logFile: string;
  /** Where `tls` was given: the same server over TLS (`amqps://…`), under the name `localhost`. */
  readonly tlsUrl?: string;
  /** Freezes it (SIGSTOP): connections are still accepted by the kernel, nothing is answered. */
  suspend(): void;
  /** Lets it go on after `suspend`. */
  resume(): void;
  /** SIGKILL, as a crash would; resolves when its processes are gone. */
  kill(): Promise<void>;
  /** Starts it again after `stop`, `kill` or a crash, with the same data and the same URL; resolves when it answers. */
  start(): Promise<void>;
}

export type ServerName = 'rabbitmq' | 'redis' | 'influxdb' | 'mongodb' | 'registry';

/** What every private instance needs to know. */
export interface StartOptions {
  /** An absolute path; made if it is not there. */
  dir: string;
  /** How long to wait for the first answer; 60 s unless told. */
  startTimeoutMs?: number;
  /** Lets it speak TLS too, on a port of its own; InfluxDB has one port only, and that speaks TLS then. */
  tls?: Certificate;
}

/** A server could not be started or reached; the message says what to do. */
export class ServerError extends Error {}
