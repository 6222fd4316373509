import type { Cubes, Row } from '@weir/usage';
import { stringify } from 'csv-stringify/sync';
import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Logger } from 'pino';
import type { Account } from '../accounts';
import type { Turns } from '../v1/turns';
import { readFeed } from './feed';
import { callbackOf, feedQuestionOf, type FeedQuestion } from './feed-question';
import { bestMatch, type MediaType } from './media-type';
import { modelsOf, type Model } from './models';
import { failed, inTurn, onlyRead, ParameterError, parametersOf, readerNeeded, say } from './plain';

export interface StatscacheOptions {
  cubes: Cubes;
  accounts: readonly Account[];
  turns: Turns;
  log: Logger;
  /** Unix time in milliseconds. */
  now?: () => number;
}

/**
 * statscache's API, mounted under `/api`, for clients that exist already: `/` lists what there is, `/<ident>` has its
 * rows, `/<ident>/layout` says what they are (reference usage-metrics 3.4; what differs and why, docs/peers.md).
 */
export function createStatscache({ cubes, accounts, turns, log, now = Date.now }: StatscacheOptions): Router {
  const router = Router();
  router.use(readerNeeded(accounts), noForeignScript);
  router.route('/').get(inTurn(turns, index)).all(onlyRead);
  router.route('/:ident').get(inTurn(turns, feed)).all(onlyRead);
  router.route('/:ident/layout').get(inTurn(turns, layout)).all(onlyRead);
  router.use((_, response) => say(response, 404, 'No such resource'));
  router.use(failed(log));
  return router;

  async function index(request: Request, response: Response): Promise<void> {
    const media = mediaOf(request, response);
    if (media === undefined) return;
    const idents = [...modelsOf(await cubes.statistics()).keys()];
    if (media.endsWith('csv')) response.type(media).send(idents.join('\n'));
    else sendJson(request, response, idents);
  }

  async function feed(request: Request, response: Response): Promise<void> {
    const ident = String(request.params['ident']);
    const model = modelsOf(await cubes.statistics()).get(ident);
    if (model === undefined) {
      response.status(404).json(`No such model for '${ident}'`);
      return;
    }
    const media = mediaOf(request, response, ident);
    if (media === undefined) return;
    const seconds = now() / 1000;
    const question = feedQuestionOf(parametersOf(request), seconds);
    const { rows, pages } = await readFeed(cubes, model, question, seconds);
    if (question.page > Math.max(pages, 1)) {
      throw new ParameterError(`page must be at most ${Math.max(pages, 1)}: there are no more`);
    }
    const records = rows.map((row) => recordOf(model, row));
    response.set(linksOf(request, model, question, pages));
    if (media.endsWith('csv')) response.type(media).send(csvOf(model, records));
    else sendJson(request, response, records);
  }

  async function layout(request: Request, response: Response): Promise<void> {
    const ident = String(request.params['ident']);
    const media = mediaOf(request, response, ident, 'no CSV');
    if (media === undefined) return;
    const model = modelsOf(await cubes.statistics()).get(ident);
    if (model === undefined) say(response, 404, `No such resource for ${ident}`);
    else sendJson(request, response, layoutOf(model));
  }
}

/** A script of another site would be run with the password that the browser remembers, and read what it answers. */
const noForeignScript: RequestHandler = (request, response, next) => {
  response.set({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', vary: 'Accept' });
  if (request.headers['sec-fetch-site'] === 'cross-site' && parametersOf(request).has('callback')) {
    say(response, 403, 'JSONP is not answered to pages of other sites; ask for JSON with an Authorization header.');
  } else next();
};

/** What to answer in; undefined when 406 has been answered. */
function mediaOf(request: Request, response: Response, ident?: string, csv?: 'no CSV'): MediaType | undefined {
  const media = bestMatch(request.headers.accept);
  if (media !== undefined && !(csv && media.endsWith('csv'))) return media;
  say(response, 406, `Content-type(s) not available${ident === undefined ? '' : ` for ${ident}`}`);
  return undefined;
}

function sendJson(request: Request, response: Response, body: unknown): void {
  const callback = callbackOf(parametersOf(request));
  if (callback === undefined) response.json(body);
  // Whatever stands at the beginning, it is a comment first: an answer can be nothing but a script.
  else response.type('application/javascript').send(`/**/${callback}(${scriptOf(body)})`);
}

/** JSON is JavaScript but for two characters that used to end a line there. */
function scriptOf(body: unknown): string {
  return JSON.stringify(body).replace(/[\u2028\u2029]/g, (character) =>
    character === '\u2028' ? '\\u2028' : '\\u2029',
  );
}

/** Ends of intervals are the times of rows: the peer calls a window after its end. */
function recordOf({ by, column, seconds }: Model, { time = 0, values, value }: Row): Record<string, unknown> {
  const named = by.map((dimension, at) => [dimension, values[at] ?? null] as const);
  return Object.fromEntries([...named, [column, value], ['timestamp', time / 1000 + seconds]]);
}

function csvOf({ by, column }: Model, records: readonly Record<string, unknown>[]): string {
  const columns = ['timestamp', ...[...by, column].sort()];
  const lines = records.map((record) => ({ ...record, timestamp: `${record['timestamp'] as number}.0` }));
  return stringify(lines, { header: true, columns, eof: false });
}

function layoutOf({ statistic, measure, column, by, seconds }: Model): object {
  const dimensions = by.map((dimension) => [dimension, statistic.dimensions[dimension] ?? dimension] as const);
  return {
    name: statistic.name,
    summary: statistic.summary,
    description: statistic.description,
    interval: seconds,
    columns: Object.fromEntries([
      ['timestamp', 'end of the interval, Unix time in seconds'],
      ...dimensions,
      [column, statistic.measures[measure]?.summary ?? measure],
    ]),
  };
}

/** Where the other pages are, filters and the moment of the question kept; as the peer's, for pages of any origin. */
function linksOf(request: Request, { ident }: Model, { page, stop }: FeedQuestion, pages: number): Record<string, string> {
  const to = (other: number, relation: string) => {
    const parameters = parametersOf(request);
    parameters.set('stop', String(stop));
    parameters.set('page', String(other));
    return `<${request.baseUrl}/${ident}?${parameters.toString()}>; rel="${relation}"`;
  };
  const links = [...(page > 1 ? [to(page - 1, 'previous')] : []), ...(page < pages ? [to(page + 1, 'next')] : [])];
  return {
    ...(links.length === 0 ? {} : { link: links.join(', ') }),
    'x-link-count': String(pages),
    'x-link-number': String(page),
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'Link, X-Link-Number, X-Link-Count',
  };
} // prettier-ignore
