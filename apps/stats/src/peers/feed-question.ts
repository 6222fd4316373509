import { ParameterError } from './plain';

/** Which rows of a model. */
export interface FeedQuestion {
  /** The oldest first. */
  ascending: boolean;
  /** So many rows at most, before they are divided into pages. */
  limit?: number;
  /** Unix seconds, both included; a row's time is the end of its interval. */
  start: number;
  stop: number;
  /** From 1 on. */
  page: number;
  rowsPerPage: number;
}

const MAX_ROWS_PER_PAGE = 100;
const MAX_CALLBACK = 100;

/**
 * Reads the parameters of a feed; those that are not known are ignored, as the peer does.
 *
 * @param now Unix seconds
 * @throws ParameterError with the first one that is wrong
 */
export function feedQuestionOf(parameters: URLSearchParams, now: number): FeedQuestion {
  const limit = wholeNumber(parameters, 'limit', 0);
  return {
    ascending: parameters.get('order') === 'asc',
    ...(limit === undefined ? {} : { limit }),
    start: seconds(parameters, 'start') ?? 0,
    stop: seconds(parameters, 'stop') ?? now,
    page: wholeNumber(parameters, 'page', 1) ?? 1,
    rowsPerPage: Math.min(wholeNumber(parameters, 'rows_per_page', 1) ?? MAX_ROWS_PER_PAGE, MAX_ROWS_PER_PAGE),
  };
}

/** The function that JSONP is to call; undefined for JSON. @throws ParameterError */
export function callbackOf(parameters: URLSearchParams): string | undefined {
  const callback = parameters.get('callback') || undefined;
  if (callback === undefined) return undefined;
  if (callback.length > MAX_CALLBACK || !/^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/.test(callback)) {
    throw new ParameterError(
      `callback must be the name of a function: letters, digits, _ and $, dots between, at most ${MAX_CALLBACK} characters`,
    );
  }
  return callback;
}

function wholeNumber(parameters: URLSearchParams, name: string, least: number): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  const number = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  if (number < least) throw new ParameterError(`${name} must be a whole number from ${least} on`);
  return number;
}

function seconds(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  if (!/^[+-]?\d{1,15}(\.\d{0,15})?$/.test(text)) {
    throw new ParameterError(`${name} must be a Unix time in seconds, such as 1448668800 or 1448668800.5`);
  }
  return Number(text);
}
