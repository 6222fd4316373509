import type { AppPart } from './apps';
import type { Found, ServerKey } from './endpoints';
import type { Folder } from './folder';
import type { Settings } from './settings';

/** A server that answers, with what the supervisor has to know of it. */
export interface RunningServer {
  key: ServerKey;
  /** `RabbitMQ` */
  what: string;
  /** Works as it stands, credentials included. */
  url: string;
  found: Found;
  /** Why it was found so, for people. */
  note: string;
  /** Where it writes its log, when it is ours. */
  logFile?: string;
  /** Its processes, where they are ours. */
  pids(): readonly number[];
  /** Starts it again after it has died, at the same address with the same data; absent where it is not ours to start. */
  restart?(): Promise<void>;
  stop(): Promise<void>;
}

/** What the search for a server may use. */
export interface ServerRequest {
  folder: Folder;
  settings: Settings;
  /** The demo needs a registry of its own. */
  demo: boolean;
  /** Tells a person what goes on. */
  progress(text: string): void;
  /** Asks a person; true at once where there is none. */
  ask(question: string): Promise<boolean>;
}

/** A stream of marked events and what it needs; see demo/. */
export interface DemoPart {
  /** Fills the registry; returns the content of the gateway's rules file. */
  prepare(registry: string, upstream: string | undefined): Promise<object>;
  /** Begins when every app is ready. */
  start(request: DemoRequest): { stop(): Promise<void> };
}

export interface DemoRequest {
  gateway: string;
  ingest: string;
  buildService: string;
  registry: string;
  ingestKey: string;
  /** A key of the build-service that speaks for no organization, and one for each organization of the demo. */
  buildKey: string;
  buildKeys: Readonly<Record<string, string>>;
  notice(text: string): void;
}

/** All that a quick start is made of: Weir's own (see weir.ts), or a test's. */
export interface Parts {
  /** Finds or starts all servers; none stays behind when one cannot be had. */
  findServers(request: ServerRequest): Promise<RunningServer[]>;
  apps: readonly AppPart[];
  demo: DemoPart;
}
