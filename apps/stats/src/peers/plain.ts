import { QuestionError } from '@weir/usage';
import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';

/** What the two peers have in common: errors are plain text, and organizations are nothing that they know. */

/** Who asks; with an organization, somebody who may be told the numbers of this one only. */
export interface PeerReader {
  organization?: string;
}

/** Whom an `Authorization` header names; undefined for nobody. */
export type FindReader = (authorization: string | undefined) => PeerReader | undefined;

/** A parameter is wrong; the message is the answer's, word for word the peer's where the peer has one. */
export class ParameterError extends Error {}

/** 401 for nobody, 403 for whoever may see the numbers of one organization: nothing here is one organization's. */
export function readerNeeded(readerOf: FindReader): RequestHandler {
  return ({ headers }, response, next) => {
    const reader = readerOf(headers.authorization);
    if (reader === undefined) {
      say(response.set('www-authenticate', 'Basic realm="Wave Authentication"'), 401, 'Unauthorized');
    } else if (reader.organization !== undefined) {
      say(response, 403, 'This account may see the numbers of its organization only; /v1/query answers for them.');
    } else next();
  };
}

export const onlyRead: RequestHandler = (_, response) =>
  say(response.set('allow', 'GET, HEAD'), 405, 'only GET and HEAD are allowed here');

export function failed(log: Logger): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: Error & { status?: number }, request, response, _next) => {
    if (error instanceof ParameterError || error instanceof QuestionError) {
      say(response, 400, error.message);
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
