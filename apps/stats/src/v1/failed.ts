import { problem, type ProblemDocument } from '@weir/service';
import { QuestionError } from '@weir/usage';
import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import { ForbiddenError } from '../access';
import { NotAcceptableError } from './formats';
import { NotFoundError, ParametersError, type Mistake } from './mistakes';
import { BusyError } from './turns';

/** Answers a request that has failed. Nothing of what was asked, nor by whom, comes into the log. */
export function failed(log: Logger): ErrorRequestHandler {
  // Express tells an error handler by its four parameters.
  return (error: Error & { status?: number }, request, response, _next) => {
    if (response.headersSent) {
      // Half an answer must not look like a whole one.
      log.warn({ reason: error.message, path: request.path }, 'an answer broke off');
      response.destroy();
      return;
    }
    const said = refusalOf(error);
    if (said !== undefined) return problem(response, said);
    log.warn({ reason: error.message, path: request.path }, 'the counters could not be read');
    const detail = 'The counters cannot be read at the moment; try again later.';
    problem(response, { status: 503, title: 'Service Unavailable', detail, headers: { 'retry-after': '5' } });
  };
}

/** What is said of errors that are no trouble of ours. */
function refusalOf(error: Error & { status?: number }): ProblemDocument<Mistake> | undefined {
  if (error instanceof ParametersError) return badQuestion(error.mistakes);
  if (error instanceof QuestionError) {
    const { parameter, allowed } = error;
    return badQuestion([{ parameter, message: error.wrong, allowed }]);
  }
  if (error instanceof ForbiddenError) return { status: 403, title: 'Forbidden', detail: error.message };
  if (error instanceof NotFoundError) return { status: 404, title: 'Not Found', detail: error.message };
  if (error instanceof NotAcceptableError) return { status: 406, title: 'Not Acceptable', detail: error.message };
  if (error instanceof BusyError) {
    const detail = `As many questions as can be at once: ${error.message}. Ask again.`;
    return { status: 503, title: 'Service Unavailable', detail, headers: { 'retry-after': '1' } };
  }
  if (error.status !== undefined && error.status >= 400 && error.status < 500) {
    return { status: error.status, title: 'Bad Request', detail: 'The request cannot be read.' };
  }
  return undefined;
}

/** More than there are parameters: who sends a thousand is not told of each. */
const MAX_ERRORS = 50;

function badQuestion(errors: readonly Mistake[]): ProblemDocument<Mistake> {
  const detail = 'errors names each parameter, what is wrong with it and what is allowed.';
  return { status: 400, title: 'Not a question that can be answered', detail, errors: errors.slice(0, MAX_ERRORS) };
}
