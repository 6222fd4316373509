import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { missingPackages, startRabbitmq } from '@weir/testing';
import { askedOf } from './asked';
import { lacks, TAG, type Cell } from './cells';
import { kinds } from './clients';
import type { Client, ClientName } from './clients/client';
import { ORGANIZATION, startGateway, type Mode } from './gateway';
import { judge, type Evidence, type Expected, type Row } from './judge';
import { push } from './push';
import { readPublished, type Published, type PublishedEvent } from './published';
import { createTrace, type Trace } from './recorder';
import { pushAsSchema1 } from './schema1';
import { unmountUnder } from './mounts';
import { startUpstreams, type Upstreams } from './upstreams';

export interface MatrixOptions {
  /** An empty directory for everything. */
  dir: string;
  /** node's arguments to run the gateway. */
  gateway: readonly string[];
  clients: readonly ClientName[];
  modes: readonly Mode[];
  cells: readonly Cell[];
  /** Told what goes on, one short text at a time. */
  progress(text: string): void;
  /** Ends the matrix early, in order: after the cell that is being played. */
  signal: AbortSignal;
}

/** Real servers, which every client is sent to in turn. */
interface Stage {
  trace: Trace;
  upstreams: Upstreams;
  amqp: string;
  published: Published;
  stop(): Promise<void>;
}

/** What was played and still has to be judged: only when the gateway has ended, all its events are there. */
interface Played {
  repository: string;
  failure: string | undefined;
  requests: Evidence['requests'];
}

/** Plays every cell with every client in every mode. @throws when a server of its own does not run */
export async function playMatrix(options: MatrixOptions): Promise<Row[]> {
  const { dir, clients, progress } = options;
  progress('starting RabbitMQ and the registries');
  const stage = await openStage(dir);
  const rows: Row[] = [];
  try {
    for (const name of clients) rows.push(...(await playClient(name, stage, options)));
  } finally {
    await stage.stop();
    await unmountUnder(dir);
  }
  return rows;
}

async function playClient(name: ClientName, stage: Stage, options: MatrixOptions): Promise<Row[]> {
  const { dir, modes, progress } = options;
  progress(`starting ${name}`);
  const client = await startClient(name, join(dir, name));
  if (typeof client === 'string') {
    progress(`  ${name} cannot be played here: ${client}`);
    return unplayable(name, client, options);
  }
  const rows: Row[] = [];
  try {
    for (const mode of modes) rows.push(...(await playMode(client, mode, stage, options)));
  } finally {
    await client.stop();
  }
  return rows;
}

async function openStage(dir: string): Promise<Stage> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const trace = createTrace();
    const rabbitmq = await startRabbitmq({ dir: join(dir, 'rabbitmq') });
    stops.push(() => rabbitmq.stop());
    const upstreams = await startUpstreams(join(dir, 'upstreams'), trace);
    stops.push(() => upstreams.stop());
    const published = await readPublished(rabbitmq.url);
    stops.push(() => published.close());
    return { trace, upstreams, amqp: rabbitmq.url, published, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The client, or why there is none. */
async function startClient(name: ClientName, dir: string): Promise<Client | string> {
  const missing = missingPackages(kinds[name].packages);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  try {
    await mkdir(dir, { recursive: true });
    return await kinds[name].start(dir);
  } catch (error) {
    return (error as Error).message;
  }
}

async function playMode(client: Client, mode: Mode, stage: Stage, options: MatrixOptions): Promise<Row[]> {
  const { upstreams, trace, amqp, published } = stage;
  const { abilities } = kinds[client.name];
  const dir = join(options.dir, `gateway-${client.name}-${mode}`);
  const gateway = await startGateway({ dir, args: options.gateway, mode, amqp, upstreams, trace });
  const played = new Map<Cell, Played>();
  try {
    for (const cell of options.cells) {
      options.signal.throwIfAborted();
      if (lacks(cell, client.name, abilities) !== undefined) continue;
      options.progress(`${client.name} ${client.version}, ${mode}, ${cell.image}`);
      played.set(cell, await playCell(cell, client, mode, stage, gateway.hosts[cell.upstream]));
    }
  } finally {
    await gateway.stop();
  }
  const events = byRepository(await published.take(), [...played.values()]);
  const rows = options.cells.map((cell) => {
    const row = rowOf(client, mode, cell, cell.expected(abilities));
    const found = played.get(cell);
    return found ? judged(row, found, cell, events) : { ...row, problems: [lacks(cell, client.name, abilities) ?? ''] };
  });
  for (const { image, ok, problems } of rows)
    if (ok === false) options.progress(`  ${image} is wrong: ${problems.join('; ')}`);
  return rows;
}

async function playCell(cell: Cell, client: Client, mode: Mode, stage: Stage, host: string): Promise<Played> {
  const { upstreams, trace } = stage;
  const repository = `${cell.upstream}/${client.name}-${mode}/${cell.image}`;
  const content = cell.content(repository);
  const further = {
    host,
    repository,
    artifact: cell.needs === 'artifacts',
    ...(cell.upstream === 'open' ? {} : { login: upstreams.login }),
  };
  let failure: string | undefined;
  try {
    if (cell.schema1) await pushAsSchema1(upstreams.pushTo, repository, TAG, content);
    else await push(upstreams.pushTo, repository, cell.tagOf?.(content) ?? TAG, content);
    trace.take();
    for (const pull of cell.pulls(content, kinds[client.name].abilities)) await client.pull({ ...pull, ...further });
  } catch (error) {
    failure = (error as Error).message;
  }
  return { repository, failure, requests: trace.take() };
}

function judged(row: Row, played: Played, cell: Cell, events: ReadonlyMap<string, PublishedEvent[]>): Row {
  const { repository, failure, requests } = played;
  const verdict = judge(cell.expected(kinds[row.client].abilities), {
    failure,
    requests,
    events: events.get(repository) ?? [],
    elsewhere: cell.upstream === 'elsewhere',
    organization: ORGANIZATION,
  });
  return { ...row, ...verdict, asked: requests.map(askedOf) };
}

/** @throws where something was counted that nobody had pulled */
function byRepository(
  events: readonly PublishedEvent[],
  played: readonly Played[],
): ReadonlyMap<string, PublishedEvent[]> {
  const sorted = new Map(played.map(({ repository }) => [repository, [] as PublishedEvent[]]));
  for (const event of events) {
    const own = sorted.get(event.data.repository ?? '');
    if (!own) throw new Error(`An event belongs to nothing that was pulled: ${JSON.stringify(event)}`);
    own.push(event);
  }
  return sorted;
}

function unplayable(name: ClientName, reason: string, { modes, cells }: MatrixOptions): Row[] {
  const client = { name, version: 'none' };
  return modes.flatMap((mode) =>
    cells.map((cell) => ({
      ...rowOf(client, mode, cell, cell.expected(kinds[name].abilities)),
      problems: [reason],
    })),
  );
}

/** A row that nothing has been seen of. */
function rowOf(
  { name: client, version }: Pick<Client, 'name' | 'version'>,
  mode: Mode,
  { image }: Cell,
  { pulls, checks, arch }: Expected,
): Row {
  return {
    client,
    version,
    image,
    mode,
    expected: { pulls, checks, arch },
    seen: { pulls: 0, checks: 0, arch: [] },
    ok: null,
    kinds: [],
    referrers: 0,
    downloads: 0,
    asked: [],
    problems: [],
  };
}
