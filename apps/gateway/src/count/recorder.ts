import type { Context } from '@weir/service';
import { soon, type Soon } from '../soon';
import { createAnnouncer, type Publishes } from './announcer';
import { ask, askPatiently } from './asking';
import type { Clock } from './clock';
import { createCounter, type Learn } from './counter';
import { createDeadlines } from './deadlines';
import { createDownloads, type Fetch } from './downloads';
import type { Knowledge } from './knowledge';
import type { Metrics } from '../metrics';
import type { Readability } from '../answer/readability';
import { createRecentAnswers } from './recent-answers';
import { keyOf, type Answered, type BlobRequest, type ManifestRequest } from './request';
import type { ClientSource } from '../source/sources';
import { createTurns } from './turns';

/**
 * Turns answers into events, by the rules of docs/counting.md. Nothing here is ever waited for by a client. Of a source
 * that does not want to be counted nothing is asked and nothing is made.
 */
export interface Recorder {
  /** The client has been sent this answer. */
  answered(request: ManifestRequest, answer: Answered): void;
  /** The client has been sent to the upstream: what it gets there is asked first. */
  redirected(request: ManifestRequest): void;
  /** The client has been sent a list of referrers, or why there is none. */
  listed(request: ManifestRequest, status: number | undefined): void;
  /** The client has asked whether this is a registry. */
  pinged(source: ClientSource, status: number | undefined): void;
  /** False when no pull waits for layers, nor may begin to: blobs need not be told of. */
  followsBlobs(): boolean;
  /**
   * A blob is being sent, or the client is sent to where it is. What is returned is called at the end, with the bytes
   * that were sent; with `all` where somebody else sends what was asked for.
   */
  fetching(request: BlobRequest): (sent: number | 'all') => void;
  /** What the upstream would answer the client, headers only. @throws UpstreamError */
  ask(request: ManifestRequest, signal: AbortSignal): Promise<Answered>;
  /** False when so many answers wait for their events that no client should be redirected for now. */
  hasRoom(): boolean;
  state(): RecorderState;
  /**
   * Waits for the answers whose events are still to be made, at most `timeoutMs`; then makes them of what is known, and
   * all others that waited for something.
   */
  drain(timeoutMs: number): Promise<void>;
}

/** How much is kept for later. */
export interface RecorderState {
  answers: number;
  visits: number;
  checks: number;
  downloads: number;
}

export interface RecorderOptions {
  publisher: Publishes;
  knowledge: Knowledge;
  readability: Readability;
  metrics: Metrics;
  log: Pick<Context['log'], 'warn' | 'error'>;
  clock: Clock;
  /** `source` of the events. */
  source: string;
}

const MAX_ANSWERS = 10_000;
const AT_ONCE = 32;
const LEARN_TIMEOUT_MS = 15_000;

export function createRecorder(options: RecorderOptions): Recorder {
  const { knowledge, readability, metrics, log, clock } = options;
  const turns = createTurns({ atOnce: AT_ONCE });
  const deadlines = createDeadlines(LEARN_TIMEOUT_MS);
  const recent = createRecentAnswers(clock);
  const announcer = createAnnouncer(options);
  const { send, downloadOf } = announcer;
  const downloads = createDownloads({ clock, publish: (pull, fetched) => send(downloadOf(pull, fetched)) });
  const counter = createCounter({ announcer, downloads, knowledge, metrics, clock, inTurn });
  /** Of this round of the event loop: counted when all that have asked in it have their answers, or something else is. */
  let redirects: { request: ManifestRequest; at: number }[] = [];

  /** In the order of the requests of one source for one repository: an index is learned before its child is counted. */
  function inTurn(from: string, work: () => Soon<void>): void {
    try {
      const left = turns.take(from, work);
      if (left instanceof Promise) left.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  function failed(error: unknown): void {
    log.error({ reason: (error as Error).message }, 'an answer could not be counted');
  }

  function learnFor({ upstream, name, authorization, rule }: ManifestRequest): Learn {
    const labels = rule.fusion?.label !== undefined;
    return (work) => deadlines.within((signal) => work({ upstream, name, authorization, signal, labels }));
  }

  /** What a client gets where it was sent to; undefined when the upstream does not say. */
  async function whatItGot(request: ManifestRequest): Promise<Answered | undefined> {
    const { upstream, name, repository } = request;
    try {
      const answer = await askPatiently(request, deadlines);
      readability.note(upstream.name, name, answer.status);
      return answer;
    } catch (error) {
      readability.forget(upstream.name, name);
      metrics.unlearned.inc({ what: 'redirected' });
      log.warn(
        { reason: (error as Error).message, upstream: upstream.name, repository },
        'a redirected client may have pulled an image: the upstream did not say',
      );
      return undefined;
    }
  }

  function countRedirects(): void {
    const counted = redirects;
    redirects = [];
    for (const { request, at } of counted)
      inTurn(keyOf(request), () =>
        soon(
          recent.of(request, () => whatItGot(request)),
          (answer) => (answer === undefined ? undefined : counter.manifest(request, answer, at, learnFor(request))),
        ),
      );
  }

  return {
    answered(request, answer) {
      if (!request.from.counted) return;
      countRedirects();
      const at = clock.now();
      if (turns.waiting() < MAX_ANSWERS)
        return inTurn(keyOf(request), () => counter.manifest(request, answer, at, learnFor(request)));
      // No room to wait for anybody. The count stays exact.
      void (async () => counter.manifest(request, answer, at, (work) => work(undefined)))().catch(failed);
    },
    redirected(request) {
      if (!request.from.counted) return;
      if (redirects.length === 0) setImmediate(countRedirects);
      redirects.push({ request, at: clock.now() });
    },
    listed(request, status) {
      countRedirects();
      if (request.from.counted && request.method === 'GET' && status === 200)
        inTurn(keyOf(request), () => counter.list(request));
    },
    pinged(source, status) {
      countRedirects();
      // A challenge is what one pings for.
      if (status === 200 || status === 401) counter.ping(source.key, clock.now());
    },
    followsBlobs: () => downloads.size > 0 || turns.waiting() > 0 || redirects.length > 0,
    fetching(request) {
      countRedirects();
      const from = keyOf(request);
      const isAwaited = downloads.expects(from) || turns.busy(from);
      if (!isAwaited || turns.waiting() >= MAX_ANSWERS) return () => {};
      let fetch: Fetch | undefined;
      const begun = (async () =>
        turns.take(from, () => {
          fetch = downloads.begin(from, request.digest, request.range);
        }))();
      begun.catch(() => {}); // told at the end, which may be far
      return (sent) => void begun.then(() => fetch && downloads.end(fetch, sent)).catch(failed);
    },
    ask,
    hasRoom: () => turns.waiting() < MAX_ANSWERS / 2,
    state: () => ({
      answers: turns.waiting() + redirects.length + announcer.waiting(),
      downloads: downloads.size,
      ...counter.state(),
    }),
    async drain(timeoutMs) {
      const timer = setTimeout(() => deadlines.stop(), timeoutMs);
      countRedirects();
      await turns.idle();
      counter.flush();
      await turns.idle();
      downloads.flush();
      announcer.flush();
      clearTimeout(timer);
    },
  };
}
