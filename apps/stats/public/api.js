import { authorization } from './session.js';

const TIMEOUT_MS = 20_000;
/** Questions at once: the server answers so many and no more, and others look at it as well. */
const AT_ONCE = 4;
/** How often a question is asked again that had no room, and after how long at least. */
const TRIES = 3;
const BUSY_MS = 1000;
/** How many answers are kept to be asked for again by their ETag. */
const KEPT = 200;

/** A question that got no answer: `kind` says what is to be done about it. */
export class ApiError extends Error {
  /** @param kind `offline`, `unauthorized`, `forbidden`, `unavailable`, `question`, `unexpected` */
  constructor(kind, message, errors = []) {
    super(message);
    this.kind = kind;
    this.errors = errors;
  }
}

const KINDS = { 400: 'question', 401: 'unauthorized', 403: 'forbidden', 429: 'unavailable', 503: 'unavailable' };

/**
 * Asks the API. Each question is asked once at a time, and answers that have not changed (ETag) are not sent again.
 * An answer is the same object as before as long as it is the same answer.
 */
export function createApi() {
  const answers = new Map();
  const asking = new Map();
  const turns = createTurns(AT_ONCE);

  async function fetchAnswer(path) {
    const known = answers.get(path);
    const response = await turns(() => sendPatiently(path, known?.etag));
    if (response.status === 304 && known) return known.body;
    if (!response.ok) throw await errorOf(response);
    const body = await response.json().catch(() => {
      throw new ApiError('unexpected', 'The answer is not JSON: something other than Weir may have given it.');
    });
    const etag = response.headers.get('etag');
    answers.delete(path);
    if (etag) answers.set(path, { etag, body });
    if (answers.size > KEPT) answers.delete(answers.keys().next().value);
    return body;
  }

  return {
    /** @throws ApiError */
    ask(path) {
      const running = asking.get(path) ?? fetchAnswer(path).finally(() => asking.delete(path));
      asking.set(path, running);
      return running;
    },
    /** After another one has signed in. */
    forget() {
      answers.clear();
      asking.clear();
    },
  };
}

/** At most so many at once, in the order in which they came. */
function createTurns(most) {
  const waiting = [];
  let running = 0;
  return async (work) => {
    if (running < most) running += 1;
    else await new Promise((resolve) => waiting.push(resolve)); // takes over the turn of one that is done
    try {
      return await work();
    } finally {
      if (waiting.length > 0) waiting.shift()();
      else running -= 1;
    }
  };
}

async function sendPatiently(path, etag) {
  for (let tries = 1; ; tries += 1) {
    const response = await send(path, etag);
    const isBusy = response.status === 503 && response.headers.get('retry-after') === '1';
    if (!isBusy || tries === TRIES) return response;
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS * (1 + Math.random())));
  }
}

async function send(path, etag) {
  // Without it `no-store` would say `no-cache`, which no server answers with 304.
  const headers = { accept: 'application/json', 'cache-control': 'max-age=0' };
  if (authorization() !== null) headers.authorization = authorization();
  if (etag) headers['if-none-match'] = etag;
  try {
    // `omit`: the browser's own dialog for a password must not come up, for the page has a form.
    return await fetch(path, {
      headers,
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError('offline', 'The server cannot be reached.');
  }
}

async function errorOf(response) {
  const problem = await response.json().catch(() => ({}));
  const kind = KINDS[response.status] ?? (response.status >= 500 ? 'unavailable' : 'unexpected');
  const message = problem.detail ?? problem.title ?? problem.message ?? `The server answered ${response.status}.`;
  return new ApiError(kind, String(message), Array.isArray(problem.errors) ? problem.errors : []);
}
