import { problem } from '@weir/service';
import type { Cubes, Flow } from '@weir/usage';
import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Logger } from 'pino';
import { accountNeeded, readerIn } from '../access';
import type { Account } from '../accounts';
import type { Metrics } from '../metrics';
import { answerOf, describe, gapOf, latestLine, type Answered, type Head } from './answer';
import { failed } from './failed';
import { formatFor, MEDIA_TYPES, render, type Line } from './formats';
import { NotFoundError } from './mistakes';
import { gapsRangeOf, latestOf, nothingOf, queryOf } from './question';
import { iso } from './range';
import { send } from './send';
import { ANSWER_MS, type Turns } from './turns';

export interface V1Options {
  cubes: Cubes;
  flow: Flow;
  accounts: readonly Account[];
  /** Bounds how many questions are answered at once. */
  turns: Turns;
  metrics: Metrics;
  log: Logger;
  /** Unix ms. */
  now?: () => number;
}

type Answering = (request: Request, response: Response) => Promise<void>;

/** `/v1`: anything about usage (docs/api.md). Errors are problem documents (RFC 9457); who is nobody learns nothing else. */
export function createV1({ cubes, flow, accounts, turns, metrics, log, now = Date.now }: V1Options): Router {
  const router = Router({ caseSensitive: true });
  router.use(accountNeeded(accounts, unauthorized));
  const paths: readonly (readonly [path: string, route: string, answering: Answering])[] = [
    ['/query', 'query', query],
    ['/latest', 'latest', latest],
    ['/gaps', 'gaps', gaps],
    ['/statistics', 'statistics', statistics],
    ['/statistics/:name', 'statistics', statistic],
  ];
  for (const [path, route, answering] of paths) router.route(path).get(inTurn(route, answering)).all(notRead);
  router.use((_, response) => problem(response, { status: 404, title: 'Not Found', detail: 'There is no such path; /openapi.json has them all.' })); // prettier-ignore
  router.use(failed(log));
  return router;

  async function query(request: Request, response: Response): Promise<void> {
    const given = parametersOf(request);
    const reader = readerIn(response);
    const time = now();
    const asked = queryOf(given, { descriptions: await cubes.statistics(), reader, now: time });
    metrics.questions.inc({ statistic: asked.description.name });
    const format = formatFor(request, asked.format, ['json', 'csv', 'ndjson']);
    const answered = await answerOf(asked, reader, format, { cubes, flow, now: time });
    response.set(headersOf(answered.head));
    const next = () => nextOf(given, answered);
    const tail = (more: boolean) => (more ? { next: next() } : {});
    await send(response, MEDIA_TYPES[format], render(format, { ...answered, tail }), next);
  }

  async function latest(request: Request, response: Response): Promise<void> {
    const known = { descriptions: await cubes.statistics(), reader: readerIn(response), now: now() };
    const { format: wanted, ...question } = latestOf(parametersOf(request), known);
    const format = formatFor(request, wanted, ['json', 'csv', 'ndjson']);
    const { statistic, group: by, filters } = question;
    const rows = await cubes.latest(question);
    const lines = onePage(rows.map((row) => latestLine(row, by)));
    const sheet = { head: { statistic, by, filters }, columns: [...by, 'time'], lines };
    await send(response, MEDIA_TYPES[format], render(format, sheet));
  }

  async function gaps(request: Request, response: Response): Promise<void> {
    const { from, to } = gapsRangeOf(parametersOf(request), now());
    const found = await flow.gaps(from, to);
    await sendJson(request, response, { from: iso(from), to: iso(to), complete: found.length === 0, gaps: found.map(gapOf) });
  } // prettier-ignore

  async function statistics(request: Request, response: Response): Promise<void> {
    nothingOf(parametersOf(request));
    const all = await cubes.statistics();
    await sendJson(request, response, { statistics: all.map((each) => describe(each, readerIn(response))) });
  }

  async function statistic(request: Request, response: Response): Promise<void> {
    nothingOf(parametersOf(request));
    const all = await cubes.statistics();
    const found = all.find(({ name }) => name === request.params['name']);
    if (found === undefined)
      throw new NotFoundError(`There are ${all.map(({ name }) => name).join(', ') || 'none yet'}.`);
    await sendJson(request, response, describe(found, readerIn(response)));
  }

  /** Counts it, gives it its turn, and ends it in time. */
  function inTurn(route: string, answering: Answering): RequestHandler {
    return async (request, response) => {
      const ended = metrics.answerSeconds.startTimer({ route });
      const tooLong = setTimeout(() => response.destroy(), ANSWER_MS).unref();
      response.once('close', () => {
        clearTimeout(tooLong);
        ended();
        const status = response.writableFinished ? `${Math.floor(response.statusCode / 100)}xx` : 'broken-off';
        metrics.answers.inc({ route, status });
      });
      const done = turns.take();
      try {
        await answering(request, response);
      } finally {
        done();
      }
    };
  }
}

function parametersOf(request: Request): URLSearchParams {
  return new URL(request.url, 'http://stats').searchParams;
}

/** The head of an answer for those whose format has none. */
function headersOf({ total, other, anonymous, complete }: Head): Record<string, string> {
  return {
    'weir-total': String(total),
    'weir-complete': String(complete),
    ...(other === undefined ? {} : { 'weir-other': String(other) }),
    ...(anonymous === undefined ? {} : { 'weir-anonymous': String(anonymous) }),
  };
}

/** The same question, of the range that was counted, from the next row on. */
function nextOf(given: URLSearchParams, { cursor, counted }: Answered): string | undefined {
  if (cursor === undefined) return undefined;
  const parameters = new URLSearchParams(given);
  parameters.set('from', iso(counted.from));
  parameters.set('to', iso(counted.to));
  parameters.set('cursor', cursor);
  return `/v1/query?${parameters.toString()}`;
}

async function* onePage(lines: readonly Line[]): AsyncGenerator<readonly Line[], boolean> {
  yield lines;
  return false;
}

async function sendJson(request: Request, response: Response, body: object): Promise<void> {
  formatFor(request, undefined, ['json']);
  await send(response, MEDIA_TYPES.json, asText(body));
}

async function* asText(body: object): AsyncGenerator<string, boolean> {
  yield JSON.stringify(body);
  return false;
}

function unauthorized(response: Response): void {
  const headers = { 'www-authenticate': 'Basic realm="Weir", Bearer realm="Weir"' };
  problem(response, { status: 401, title: 'Unauthorized', headers });
}

const notRead: RequestHandler = (_, response) => {
  const headers = { allow: 'GET, HEAD' };
  problem(response, { status: 405, title: 'Method Not Allowed', detail: 'GET and HEAD are allowed here', headers });
};
