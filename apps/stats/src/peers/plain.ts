import { QuestionError } from '@weir/usage';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { accountNeeded, readerIn } from '../access';
import type { Account } from '../accounts';
import { BusyError, type Turns } from '../v1/turns';

/** What the two peers have in common: errors are plain text, and organizations are nothing that they know. */

/** A parameter is wrong; the message is the answer's, word for word the peer's where the peer has one. */
export class ParameterError extends Error {}

/** 401 for nobody, 403 for whoever may see the numbers of one organization: nothing here is one organization's. */
export function readerNeeded(accounts: readonly Account[]): RequestHandler[] {
  return [accountNeeded(accounts, unauthorized), wholeReaderNeeded];
}

const wholeReaderNeeded: RequestHandler = (_, response, next) => {
  if (readerIn(response).organization === undefined) return next();
  say(response, 403, 'This account may see the numbers of its organization only; /v1/query answers for them.');
};

function unauthorized(response: Response): void {
  say(response.set('www-authenticate', 'Basic realm="Wave Authentication"'), 401, 'Unauthorized');
}

/** Answers when it is its turn: no more questions at once than Redis can be asked. */
export function inTurn(turns: Turns, answer: (request: Request, response: Response) => Promise<void>): RequestHandler {
  return async (request, response) => {
    const done = turns.take();
    try {
      await answer(request, response);
    } finally {
      done();
    }
  };
}

export const onlyRead: RequestHandler = (_, response) =>
  say(response.set('allow', 'GET, HEAD'), 405, 'only GET and HEAD are allowed here');

export function failed(log: Logger): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: Error & { status?: number }, request, response, _next) => {
    if (error instanceof ParameterError || error instanceof QuestionError) {
      say(response, 400, error.message);
    } else if (error instanceof BusyError) {
      say(response.set('retry-after', '1'), 503, 'as many questions as can be at once are being answered; ask again');
    } else if (error.status !== undefined && error.status >= 400 && error.status < 500) {
      say(response, error.status, 'the request cannot be read');
    } else {
      log.warn({ reason: error.message, path: request.path }, 'the statistics could not be read');
      say(response.set('retry-after', '5'), 503, 'the statistics cannot be read at the moment; try again later');
    }
  };
}

export function say(response: Response, status: number, text: string): void {
  response.status(status).type('text/plain').set('x-content-type-options', 'nosniff').send(text);
}

export function parametersOf({ url }: Request): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at));
}
