import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildRequest, MirrorRequest } from './request';

export const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'timed-out'] as const;
export type State = (typeof states)[number];
export type Outcome = Exclude<State, 'queued' | 'running'>;
export type Kind = 'build' | 'mirror';

/** All that is known of a job, and all that survives of it when the process dies. */
export interface JobRecord {
  /** UUIDv7; also the id of its launch event, and with `-finished` of its finished event. */
  id: string;
  kind: Kind;
  request: BuildRequest | MirrorRequest;
  /** Name of the key that asked, and the organization it speaks for. */
  key: string;
  organization?: string;
  /** What the events name, known from the launch on; empty when it could not be found out. */
  platforms: readonly string[];
  state: State;
  /** RFC 3339, UTC. */
  createdAt: string;
  startedAt?: string;
  finishedAt?: string;
  durationMs?: number;
  /** Why it did not succeed, for people. */
  reason?: string;
  /** Of the manifest or index that was pushed. */
  digest?: string;
  /** Of all its distinct configurations and layers, as they lie in the registry: compressed. */
  bytes?: number;
  /** Which of its two events the broker or the spool has. */
  announced: 'nothing' | 'launch' | 'finish';
}

/** The durable memory of jobs: one directory for each, with a record that is replaced as a whole. */
export interface Journal {
  dirOf(id: string): string;
  create(id: string): Promise<string>;
  /** Resolves when the record would survive a power cut. Calls for one job are carried out in order. */
  write(record: JobRecord): Promise<void>;
  remove(id: string): Promise<void>;
  /** Everything found on disk, oldest first. Directories without a record never became jobs and are removed. */
  load(): Promise<{ records: JobRecord[]; unreadable: string[] }>;
}

const RECORD = 'job.json';
const UNREADABLE = 'job.json.unreadable';
const ID = /^[0-9a-f-]{36}$/;

export async function openJournal(dir: string): Promise<Journal> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const dirOf = (id: string): string => join(dir, id);
  const pending = new Map<string, Promise<void>>();

  return {
    dirOf,
    async create(id) {
      await mkdir(dirOf(id), { mode: 0o700 });
      return dirOf(id);
    },
    async write(record) {
      const text = JSON.stringify(record);
      const before = pending.get(record.id) ?? Promise.resolve();
      const write = before.catch(() => {}).then(() => replace(dirOf(record.id), text));
      pending.set(record.id, write);
      try {
        await write;
      } finally {
        if (pending.get(record.id) === write) pending.delete(record.id);
      }
    },
    remove: (id) => rm(dirOf(id), { recursive: true, force: true }),
    async load() {
      const records: JobRecord[] = [];
      const unreadable: string[] = [];
      for (const id of (await readdir(dir)).filter((name) => ID.test(name)).sort()) {
        const names = await readdir(dirOf(id));
        if (names.includes(RECORD)) {
          const record = parse(await readFile(join(dirOf(id), RECORD), 'utf8'), id);
          if (record) {
            records.push(record);
            continue;
          }
          await rename(join(dirOf(id), RECORD), join(dirOf(id), UNREADABLE));
        }
        if (names.includes(RECORD) || names.includes(UNREADABLE)) unreadable.push(id);
        else await rm(dirOf(id), { recursive: true, force: true });
      }
      return { records, unreadable };
    },
  };
}

/** Written beside, made durable, then renamed over: a reader finds the old record or the new one, never a part. */
async function replace(dir: string, text: string): Promise<void> {
  const next = join(dir, `${RECORD}.next`);
  const file = await open(next, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(next, join(dir, RECORD));
  await syncDirectory(dir);
  await syncDirectory(join(dir, '..'));
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parse(text: string, id: string): JobRecord | undefined {
  try {
    const record = JSON.parse(text) as JobRecord;
    const sound = record.id === id && states.includes(record.state) && typeof record.request === 'object';
    return sound ? record : undefined;
  } catch {
    return undefined;
  }
}
