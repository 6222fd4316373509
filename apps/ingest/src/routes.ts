import type { Publisher } from '@weir/bus';
import { problem } from '@weir/service';
import express from 'express';
import type { ErrorRequestHandler, Express, Request, Response } from 'express';
import type { Logger } from 'pino';
import { answerOf } from './answer';
import type { Answer, Outcome } from './answer';
import { ClientGone, lingerAfter, readBody } from './body';
import type { FirstTime } from './first-time';
import { hasName } from './certificate';
import { BodyError, MEDIA_TYPES, readerFor } from './items';
import { callerOf } from './keys';
import type { ApiKey } from './keys';
import type { IngestMetrics } from './metrics';
import type { OrganizationLimit } from './organizations';
import type { Quota, Wait } from './quota';
import { METHOD_NOT_ALLOWED, notLetIn, tooMuch, wrongSignature } from './refusals';
import { signatureProblem } from './signature';
import type { Nonces, Signature } from './signature';
import { takeAll } from './take';

export interface Edge {
  keys: readonly ApiKey[];
  /** What one request may hold. */
  limits: { bodyBytes: number; events: number };
  publisher: Pick<Publisher, 'publishEncoded'>;
  /** Remembers the time of events that name none. */
  firstTime: FirstTime;
  /** What one key may take from the others. */
  quota: Quota;
  mayName: OrganizationLimit;
  nonces: Nonces;
  metrics: IngestMetrics;
  log: Logger;
}

/** The API: POST /events and nothing else. No CORS: a browser's page of another origin has no business here. */
export function ingestRoutes(edge: Edge): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  app.use((request, response, next) => {
    lingerAfter(request, response);
    next();
  });
  app.all('/events', async (request, response) => {
    const started = process.hrtime.bigint();
    response.once('finish', () => {
      edge.metrics.request(response.statusCode, Number(process.hrtime.bigint() - started) / 1e9);
    });
    await takeEvents(edge, request, response);
  });
  app.use((_request, response) => {
    problem(response, { status: 404, title: 'Not found', detail: 'There is one resource here: POST /events' });
  });
  app.use(onError(edge.log));
  return app;
}

async function takeEvents(edge: Edge, request: Request, response: Response): Promise<void> {
  if (request.method !== 'POST') return problem(response, METHOD_NOT_ALLOWED);
  const arrived = new Date();
  const { headers } = request;
  const hasCertificate = (name: string) => hasName(request.socket, name);
  const caller = callerOf({ headers, hasCertificate, now: arrived }, edge.keys);
  if ('refused' in caller) return problem(response, notLetIn(caller.refused));
  const { key, signature } = caller;
  const wait = edge.quota.wait(key);
  if (wait) return refuseFor(wait);

  const read = readerFor(headers['content-type']);
  const idempotencyKey = idempotencyKeyOf(headers['idempotency-key']);
  const body = await readBody(request, edge.limits.bodyBytes);
  if (signature) {
    const wrong = signatureProblem({ key, signature, headers, idempotencyKey, body, now: arrived }, edge.nonces);
    if (wrong) return problem(response, wrongSignature(wrong));
  }
  const { kind, items } = read(body, headers, edge.limits.events);
  const counted = edge.quota.begin(key, { events: items.length, bytes: body.length });
  if (typeof counted !== 'function') return refuseFor(counted);
  let outcomes: Outcome[] = [];
  try {
    outcomes = await takeAll(
      items,
      { key, ...repeatable(signature, idempotencyKey, arrived), firstTime: edge.firstTime, mayName: edge.mayName },
      edge.publisher,
    );
  } finally {
    counted(spooledBytes(outcomes));
  }

  count(edge.metrics, key, outcomes);
  const answer = answerOf(kind, outcomes, arrived);
  logAnswer(edge.log, key, answer, outcomes);
  response.status(answer.status).set(answer.headers).end(JSON.stringify(answer.body));

  function refuseFor(limit: Wait): void {
    edge.log.info({ key: key.name, limit: limit.limit }, 'a key has to wait');
    problem(response, tooMuch(limit));
  }
}

/** A signed request makes the same events whenever it comes: their ids and times rest on what was signed. */
function repeatable(signature: Signature | undefined, idempotencyKey: string | undefined, arrived: Date) {
  if (!signature) return { idempotencyKey, now: arrived };
  // No Idempotency-Key has a space in it.
  const identity = idempotencyKey ?? `nonce ${signature.nonce}`;
  return { idempotencyKey: identity, now: new Date(signature.timestampSeconds * 1000) };
}

function spooledBytes(outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, each) => sum + ('taken' in each && each.taken === 'spooled' ? each.bytes : 0), 0);
}

/** Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a text, usually quoted. */
function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = String(header)
    .trim()
    .replace(/^"(.*)"$/, '$1');
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new BodyError(400, 'Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID');
}

/** By what became of them: a counter is looked up once for all of a kind. */
function count(metrics: IngestMetrics, key: ApiKey, outcomes: readonly Outcome[]): void {
  const counts = new Map<ReturnType<typeof resultLabel>, number>();
  for (const outcome of outcomes) {
    const label = resultLabel(outcome);
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  for (const [label, events] of counts) metrics.events(key.name, label, events);
}

function resultLabel(outcome: Outcome): Parameters<IngestMetrics['events']>[1] {
  if ('taken' in outcome) return outcome.taken;
  if (!('problems' in outcome)) return 'not_taken';
  return outcome.refused === 'limited' ? 'limited' : 'refused';
}

function logAnswer(log: Logger, key: ApiKey, { status }: Answer, outcomes: readonly Outcome[]): void {
  const refused = outcomes.find((outcome) => 'problems' in outcome);
  const [first] = outcomes;
  const id = first && 'id' in first ? first.id : undefined;
  const line = { key: key.name, status, events: outcomes.length, firstId: id };
  const lost = outcomes.find((outcome) => 'notTaken' in outcome);
  if (lost) log.error({ ...line, reason: lost.notTaken }, 'events could not be kept');
  else if (refused) log.info({ ...line, problem: refused.problems[0] }, 'events were refused');
  else log.debug(line, 'events were taken');
}

const TITLES = { 400: 'Not a valid request', 413: 'Too large', 415: 'Media type not taken' } as const;

function onError(log: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (error instanceof ClientGone) return void response.destroy();
    if (response.headersSent) return next(error); // Express closes the connection
    if (error instanceof BodyError) {
      const headers =
        error.status === 415 ? { 'accept-post': MEDIA_TYPES.join(', '), 'accept-encoding': 'identity' } : {};
      return problem(response, { status: error.status, title: TITLES[error.status], detail: error.message, headers });
    }
    // Express gives its own errors (a path that is not percent-encoded right) a 4xx status.
    const status = (error as { status?: unknown }).status;
    if (status === 400) return problem(response, { status: 400, title: TITLES[400], detail: 'The path is malformed' });
    log.error({ err: error }, 'a request failed');
    problem(response, { status: 500, title: 'Internal error', detail: 'The events were not taken; the log says why' });
  };
}
