import { problem } from '@weir/service';
import { HLL_ERROR, type UniqueSources, type UniquesAnswer, type UniquesQuery } from '@weir/usage';
import { Router, type ErrorRequestHandler, type Response } from 'express';
import type { Logger } from 'pino';
import { accountNeeded, ForbiddenError, organizationFor, readerIn } from './access';
import type { Account, Reader } from './accounts';
import { QuestionError, uniquesQuestionOf } from './uniques-question';
import { inTurn, type Turns } from './v1/turns';

export interface UniquesRouteOptions {
  uniques: UniqueSources;
  /** Bounds how many questions are answered at once. */
  turns: Turns;
  accounts: readonly Account[];
  log: Logger;
}

/**
 * `GET /uniques?from=YYYY-MM-DD&to=YYYY-MM-DD[&repository=][&organization=]`: how many different sources pulled
 * (docs/uniques.md). Errors are problem documents (RFC 9457).
 */
export function createUniquesRoute({ uniques, turns, accounts, log }: UniquesRouteOptions): Router {
  const router = Router();
  router.use(accountNeeded(accounts, unauthorized), inTurn(turns));
  router
    .route('/')
    .get(async (request, response) => {
      const query = scoped(uniquesQuestionOf(new URL(request.url, 'http://stats').searchParams), readerIn(response));
      const answer = await uniques.ask(query);
      response.set('cache-control', 'no-store').json(bodyOf(query, answer));
    })
    .all((_, response) => {
      const headers = { allow: 'GET, HEAD' };
      problem(response, { status: 405, title: 'Method Not Allowed', detail: 'GET and HEAD are allowed here', headers });
    });
  router.use((_, response) => problem(response, { status: 404, title: 'Not Found' }));
  router.use(failed(log));
  return router;
}

function bodyOf({ days, repository, organization }: UniquesQuery, answer: UniquesAnswer) {
  return {
    from: days[0],
    to: days.at(-1),
    repository,
    organization,
    sources: answer.sources,
    exact: false,
    error: HLL_ERROR,
    atMost: answer.atMost,
    outsideRetention: answer.days.filter(({ sources }) => sources === undefined).length,
    leftOut: answer.leftOut,
    days: answer.days.map(({ day, sources }) => ({ day, sources: sources ?? null })),
  };
}

function unauthorized(response: Response): void {
  const headers = { 'www-authenticate': 'Basic realm="Wave Authentication"' };
  problem(response, { status: 401, title: 'Unauthorized', headers });
}

/** The question, about nothing but what the reader may see: the sources of a repository are those of many. */
function scoped(query: UniquesQuery, reader: Reader): UniquesQuery {
  if (reader.organization !== undefined && query.repository !== undefined) {
    throw new ForbiddenError('distinct sources of a repository are not told apart by organization');
  }
  const organization = organizationFor(reader, query.organization);
  return organization === undefined ? query : { ...query, organization };
}

function failed(log: Logger): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: Error, request, response, _next) => {
    if (error instanceof QuestionError) {
      const detail = 'errors names each parameter, what is wrong with it and what is allowed.';
      problem(response, { status: 400, title: 'Not a question that can be answered', detail, errors: error.errors });
      return;
    }
    if (error instanceof ForbiddenError) {
      problem(response, { status: 403, title: 'Forbidden', detail: error.message });
      return;
    }
    log.warn({ reason: error.message, path: request.path }, 'distinct sources could not be read');
    const [title, detail] = ['Service Unavailable', 'The counters cannot be read at the moment; try again later.'];
    problem(response, { status: 503, title, detail, headers: { 'retry-after': '5' } });
  };
}
