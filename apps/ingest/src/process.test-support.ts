import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '@weir/testing';

const KEY = 'secret';
const HASH = createHash('sha256').update(KEY).digest('hex');
const SOURCE = ['--conditions=@weir/source', '--require', join(__dirname, '../../../libs/testing/src/source.js')];

export interface Reply {
  status: number;
  headers: Headers;
  json: { detail?: string; status?: string; results?: { id: string; status?: string }[] };
}

/** Ingest as an operator runs it: a process of its own. */
export interface IngestProcess {
  child: ChildProcess;
  /** Exit code and signal. */
  ended: Promise<[number | null, NodeJS.Signals | null]>;
  /** All log lines so far. */
  output(): string;
  /** @throws when there is no answer. */
  post(events: object): Promise<Reply>;
  /** Posts events one after the other until the process is gone; the ids that were answered with 202 go into `into`. */
  load(into: string[], note?: string): Promise<void>;
  readiness(): Promise<{ status: number; checks: Record<string, true | string> }>;
  metric(name: string): Promise<number>;
}

export async function startIngest(env: Record<string, string>): Promise<IngestProcess> {
  const child = spawn(process.execPath, [...SOURCE, join(__dirname, 'main.ts')], {
    env: { PATH: process.env['PATH'], INGEST_PORT: '0', INGEST_KEYS: `test:${HASH}`, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close') as IngestProcess['ended'];
  const logged = async (message: string, field: string): Promise<unknown> => {
    const line = () => output.split('\n').find((text) => text.includes(`"msg":"${message}"`) && text.endsWith('}'));
    await until(() => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(output);
      return line() !== undefined;
    });
    return (JSON.parse(line() ?? '{}') as Record<string, unknown>)[field];
  };
  const url = `http://127.0.0.1:${String(await logged('taking events', 'port'))}/events`;
  const admin = `http://127.0.0.1:${String(await logged('started', 'adminPort'))}`;

  const post = async (events: object): Promise<Reply> => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(events) });
    return { status: response.status, headers: response.headers, json: (await response.json()) as Reply['json'] };
  };
  return {
    child,
    ended,
    output: () => output,
    post,
    async load(into, note) {
      while (child.exitCode === null && child.signalCode === null) {
        const id = crypto.randomUUID();
        const reply = await post(pull(id, note)).catch(() => undefined);
        if (reply?.status === 202) into.push(id);
        if (!reply) await new Promise((resolve) => setTimeout(resolve, 5)); // it may be ending
      }
    },
    async readiness() {
      const response = await fetch(`${admin}/readyz`);
      return { status: response.status, ...((await response.json()) as { checks: Record<string, true | string> }) };
    },
    async metric(name) {
      const text = await (await fetch(`${admin}/metrics`)).text();
      const line = text.split('\n').find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
      return Number(line?.split(' ').at(-1));
    },
  };
}

export function pull(id: string, note = ''): object {
  const time = new Date().toISOString();
  return { specversion: '1.0', id, source: '/test', type: 'io.weir.pull', time, data: { repository: 'a/b', note } };
}
