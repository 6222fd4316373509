import { createEvent, type WeirEvent } from '@weir/events';
import { isImageManifest, isIndex, type Client, type Reference } from '@weir/registry';
import { backoff, type Context } from '@weir/service';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDeadlines } from './deadlines';
import { digestOf, MAX_MANIFEST_BYTES, type Facts, type Knowledge, type Seen, type Source } from './knowledge';
import { createLru } from './lru';
import type { Metrics } from '../metrics';
import type { Readability } from '../answer/readability';
import type { Rule } from '../rules/rules';
import type { ClientSource } from '../source/sources';
import { createTurns } from './turns';
import { readBody, UpstreamError, type Upstream } from '../answer/upstream';

/** A client's request for a manifest. */
export interface Visit {
  /** When the request arrived: the time of its event. */
  at: Date;
  method: 'GET' | 'HEAD';
  rule: Rule;
  upstream: Upstream;
  /** As the client named it. */
  repository: string;
  /** As the upstream calls it. */
  name: string;
  reference: Reference;
  client: Client | undefined;
  /** Who asked. */
  from: ClientSource;
  accept: string | undefined;
  ifNoneMatch: string | undefined;
  authorization: string | undefined;
  /** Of verified credentials; see {@link Identity}. Called at most once, after the upstream has accepted them. */
  organization: () => Promise<string | undefined>;
}

/** What the upstream said to the request, as far as counting goes. */
export interface Answered extends Seen {
  status: number;
}

/** Turns answers into events. Nothing here is ever waited for by a client. */
export interface Recorder {
  /** The client has been sent this answer. */
  answered(visit: Visit, answer: Answered): void;
  /** The client has been sent to the upstream: what it gets there is asked first. */
  redirected(visit: Visit): void;
  /** What the upstream would answer the client, headers only. @throws UpstreamError */
  ask(visit: Visit, signal: AbortSignal): Promise<Answered>;
  /** False when so many answers wait for their events that no client should be redirected for now. */
  hasRoom(): boolean;
  waiting(): number;
  /** Waits for the answers whose events are still to be made, at most `timeoutMs`; then makes them of what is known. */
  drain(timeoutMs: number): Promise<void>;
}

/** The one thing of a publisher that the gateway needs. */
export interface Publishes {
  publish(event: WeirEvent): Promise<'confirmed' | 'spooled'>;
}

export interface RecorderOptions {
  publisher: Publishes;
  knowledge: Knowledge;
  readability: Readability;
  metrics: Metrics;
  log: Pick<Context['log'], 'warn' | 'error'>;
  /** `source` of the events. */
  source: string;
}

const MAX_WAITING = 10_000;
const AT_ONCE = 32;
const LEARN_TIMEOUT_MS = 15_000;
const ASK_ATTEMPTS = 3;
/** How a client got to a digest is kept this long: a pull's steps follow each other within seconds. */
const STEP_TTL_MS = 10 * 60_000;
const MAX_STEPS = 20_000;
const STEPS_OF_ONE = 8;

export function createRecorder({ publisher, knowledge, readability, metrics, log, source }: RecorderOptions): Recorder {
  const turns = createTurns({ atOnce: AT_ONCE });
  const steps = createLru<readonly { digest: string; tag: string }[]>(MAX_STEPS, STEP_TTL_MS);
  const deadlines = createDeadlines(LEARN_TIMEOUT_MS);

  const sourceKey = (visit: Visit): string => `${visit.from.key} ${visit.repository}`;

  /** A client that asks for a tag and then for the digest behind it means the tag: `steps` remembers what it asked. */
  function rememberStep(visit: Visit, digest: string, tag: string): void {
    const from = sourceKey(visit);
    const others = (steps.get(from) ?? []).filter((step) => step.digest !== digest);
    steps.set(from, [{ digest, tag }, ...others].slice(0, STEPS_OF_ONE));
  }

  function tagOf(visit: Visit, digest: string | undefined): string | undefined {
    if (visit.reference.tag !== undefined || digest === undefined) return visit.reference.tag;
    const taken = steps.get(sourceKey(visit)) ?? [];
    return taken.find((step) => step.digest === digest || knowledge.isChild(step.digest, digest))?.tag;
  }

  async function record(visit: Visit, answer: Answered): Promise<void> {
    const seen = { ...answer, digest: answer.digest ?? visit.reference.digest ?? digestOf(answer) };
    const { tag } = visit.reference;
    const unchanged = answer.status === 304;
    if (!unchanged && (answer.status < 200 || answer.status > 299)) return;
    if (tag !== undefined && seen.digest !== undefined) rememberStep(visit, seen.digest, tag);

    if (visit.method === 'HEAD' || unchanged)
      return publish('io.weir.check', visit, seen, knowledge.recall(seen.digest));
    const { upstream, name, authorization } = visit;
    const labels = visit.rule.fusion?.label !== undefined;
    const learn = <T>(how: (seen: Seen, from: Source) => Promise<T>): Promise<T> =>
      deadlines.within((signal) => how(seen, { upstream, name, authorization, signal, labels }));
    if (isIndex(seen.contentType)) return learn(knowledge.learnIndex);
    if (isImageManifest(seen.contentType))
      await publish('io.weir.pull', visit, seen, await learn(knowledge.learnImage));
  }

  async function publish(type: string, visit: Visit, { digest }: Seen, known: Facts): Promise<void> {
    if (!visit.from.counted) return;
    const { repository, client, rule } = visit;
    const [organization, ofSource] = await Promise.all([visit.organization(), visit.from.facts()]);
    const tag = tagOf(visit, digest);
    const fusion = type === 'io.weir.pull' && rule.fusion?.matches({ repository, tag, labels: known.labels ?? {} });
    const data = {
      repository,
      ...(tag === undefined ? {} : { tag }),
      ...(digest === undefined ? {} : { digest }),
      ...(known.platform === undefined ? {} : { platform: known.platform }),
      ...(known.bytes === undefined ? {} : { bytes: known.bytes }),
      ...(client === undefined ? {} : { client }),
      ...(organization === undefined ? {} : { user: { organization } }),
      ...(fusion ? { fusion } : {}),
      ...ofSource,
      registry: visit.upstream.name,
    };
    const event = createEvent(type, data, { source, time: visit.at, subject: repository });
    publisher.publish(event).then(
      (outcome) => metrics.events.inc({ type, outcome }),
      (error: unknown) => {
        metrics.events.inc({ type, outcome: 'failed' });
        log.error({ event: event.id, reason: (error as Error).message }, 'an event could not be published');
      },
    );
  }

  async function ask(visit: Visit, signal: AbortSignal): Promise<Answered> {
    const head = await askWith('HEAD', visit, signal);
    // An upstream that knows no HEAD, or leaves the digest out (a MAY until distribution specification 1.1).
    const unclear = head.status === 405 || (head.status === 200 && head.digest === undefined);
    return unclear ? askWith('GET', visit, signal) : head;
  }

  async function askWith(method: 'GET' | 'HEAD', visit: Visit, signal: AbortSignal): Promise<Answered> {
    const { upstream, name, reference, accept, ifNoneMatch } = visit;
    const answer = await upstream.ask({
      method,
      path: `/v2/${name}/manifests/${reference.tag ?? reference.digest}`,
      headers: {
        'user-agent': 'weir',
        ...(accept === undefined ? {} : { accept }),
        ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
      },
      signal,
      elsewhere: 'follow',
    });
    const answered = answeredBy(answer.status, answer.headers);
    return { ...answered, body: await readBody(answer, method === 'GET' ? MAX_MANIFEST_BYTES : 0) };
  }

  /** The client has its redirect; what it will get has to be found out, so a hiccup of the upstream is sat out. */
  async function askPatiently(visit: Visit): Promise<Answered> {
    const pause = backoff({ initialMs: 200, maxMs: 2_000 });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await deadlines.within((signal) => ask(visit, signal));
        if (answer.status !== 429 && answer.status < 500) return answer;
        if (attempt === ASK_ATTEMPTS) throw new UpstreamError('unreachable', `the upstream answers ${answer.status}`);
      } catch (error) {
        if (attempt === ASK_ATTEMPTS || deadlines.stopped()) throw error;
      }
      await sleep(pause.next());
    }
  }

  /** In the order of the requests of one client for one repository: an index is learned before its child is counted. */
  function inTurn(visit: Visit, work: () => Promise<void>): void {
    turns.take(sourceKey(visit), work).catch((error: unknown) => {
      log.error({ reason: (error as Error).message, repository: visit.repository }, 'an answer could not be counted');
    });
  }

  return {
    answered(visit, answer) {
      if (turns.waiting() < MAX_WAITING) return inTurn(visit, () => record(visit, answer));
      // No room to learn anything more. The count stays exact.
      const digest = answer.digest ?? visit.reference.digest;
      const ok = answer.status >= 200 && answer.status < 300;
      if (visit.method === 'GET' && ok && isImageManifest(answer.contentType))
        void publish('io.weir.pull', visit, { ...answer, digest }, knowledge.recall(digest));
    },
    redirected(visit) {
      inTurn(visit, async () => {
        const { upstream, name } = visit;
        try {
          const answer = await askPatiently(visit);
          readability.note(upstream.name, name, answer.status);
          await record(visit, answer);
        } catch (error) {
          readability.forget(upstream.name, name);
          metrics.unlearned.inc({ what: 'redirected' });
          log.warn(
            { reason: (error as Error).message, upstream: visit.upstream.name, repository: visit.repository },
            'a redirected client may have pulled an image: the upstream did not say',
          );
        }
      });
    },
    ask,
    hasRoom: () => turns.waiting() < MAX_WAITING / 2,
    waiting: turns.waiting,
    async drain(timeoutMs) {
      const timer = setTimeout(() => deadlines.stop(), timeoutMs);
      await turns.idle();
      clearTimeout(timer);
    },
  };
}

/** The part of an answer's headers that counting looks at. */
export function answeredBy(status: number, headers: Record<string, string | string[] | undefined>): Answered {
  const one = (name: string) => [headers[name]].flat()[0];
  return { status, contentType: one('content-type'), digest: one('docker-content-digest') };
}
