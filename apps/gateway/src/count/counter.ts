import type { WeirEvent } from '@weir/events';
import { isImageManifest, isIndex, isPulled, kindOfTag } from '@weir/registry';
import type { Announcer } from './announcer';
import type { Clock } from './clock';
import type { Downloads } from './downloads';
import { digestOf } from '../digest';
import { placeOf, type Facts, type Found, type Knowledge, type Source } from './knowledge';
import type { Metrics } from '../metrics';
import { keyOf, type Answered, type ManifestRequest } from './request';
import { soon, type Soon } from '../soon';
import { createTags } from './tags';
import { createVisits, FOLLOW_MS, type Step, type Visit } from './visits';
import { createWaiting } from './waiting';

/** Does work that may ask the upstream; without a source there is no time to ask anybody. */
export type Learn = <T>(work: (from: Source | undefined) => Promise<T>) => Promise<T>;

/** What answers to requests for manifests are counted as: the rules of docs/counting.md, by their numbers. */
export interface Counter {
  /** `at`: when the answer was known, in milliseconds of the clock. */
  manifest(request: ManifestRequest, answer: Answered, at: number, learn: Learn): Soon<void>;
  /** A list of referrers. */
  list(request: ManifestRequest): Soon<void>;
  ping(source: string, at: number): void;
  /** Publishes the checks that wait to see whether they become more. */
  flush(): void;
  state(): { visits: number; checks: number };
}

const MAX_CHECKS = 3_000;

export function createCounter(options: {
  announcer: Announcer;
  downloads: Downloads;
  knowledge: Knowledge;
  metrics: Metrics;
  clock: Clock;
  /** Does work when all that was asked before with this source and repository is counted. */
  inTurn: (from: string, work: () => Soon<void>) => void;
}): Counter {
  const { announcer, downloads, knowledge, metrics, clock, inTurn } = options;
  const { eventOf, send } = announcer;
  const tags = createTags(knowledge.isChild);
  const visits = createVisits(knowledge.isChild);
  /** Visits that have come no further than a HEAD, and the event that they are if they never do. */
  const checks = createWaiting<Visit>({ clock, pauseMs: FOLLOW_MS, max: MAX_CHECKS, leave: publishCheck });
  const checkOf = new WeakMap<Visit, WeirEvent>();

  function publishCheck(visit: Visit): void {
    // In turn, and looked at again there: a GET that came in time may still wait for its own.
    inTurn(visit.from, () => {
      const check = checkOf.get(visit);
      if (check === undefined) return;
      visits.close(visit);
      send(check);
    });
  }

  /** Its HEAD was the first step of more: no check. */
  function goesOn(visit: Visit | undefined): void {
    if (visit === undefined) return;
    checks.release(visit);
    checkOf.delete(visit);
  }

  function publish(type: string, request: ManifestRequest, step: Step, known: Facts): Soon<WeirEvent> {
    const event = eventOf(type, request, { tag: tagOf(step), digest: step.digest }, known);
    return soon(event, (made) => {
      send(made);
      return made;
    });
  }

  function tagOf({ from, tag, digest }: Step): string | undefined {
    return tag ?? (digest === undefined ? undefined : tags.of(from, digest));
  }

  function head(request: ManifestRequest, step: Step, found: Found): Soon<void> {
    const said = { tag: tagOf(step), digest: step.digest };
    return soon(eventOf('io.weir.check', request, said, knowledge.recall(found)), (check) => {
      const visit = visits.head(step);
      checkOf.set(visit, check);
      checks.hold(visit);
    });
  }

  async function index(request: ManifestRequest, step: Step, found: Found, learn: Learn): Promise<void> {
    await learn((from) => knowledge.learnIndex(found, from));
    // The list of referrers of a registry that has no API for it.
    if (kindOfTag(step.tag) !== 'list') return goesOn(visits.index(step));
    goesOn(visits.end(step));
    await publish('io.weir.referrer', request, step, { kind: 'list' });
  }

  /** What is known of an image without asking anybody, if it is all. */
  function known(request: ManifestRequest, answer: Answered, found: Found): Facts | undefined {
    const labels = request.rule.fusion?.label !== undefined;
    const facts = knowledge.all(found, labels);
    if (facts !== undefined && !labels) answer.facts = facts;
    return facts;
  }

  function image(
    request: ManifestRequest,
    step: Step,
    { answer, found, learn }: { answer: Answered; found: Found; learn: Learn },
  ): Soon<void> {
    return soon(known(request, answer, found) ?? learn((from) => knowledge.learnImage(found, from)), (facts) =>
      got(request, step, facts),
    );
  }

  function got(request: ManifestRequest, step: Step, facts: Facts): Soon<void> {
    const known = withKind(facts, tagOf(step));
    if (!isPulled(known.kind)) {
      goesOn(visits.end(step));
      return soon(publish('io.weir.referrer', request, step, known), () => {});
    }
    const { visit, isPull } = visits.image(step);
    goesOn(visit);
    if (!isPull) return metrics.repeated.inc();
    const named = step.tag === undefined && visit.tag !== undefined ? { ...step, tag: visit.tag } : step;
    return soon(publish('io.weir.pull', request, named, known), (pull) =>
      downloads.expect(step.from, pull, known.layers ?? []),
    );
  }

  return {
    manifest(request, answer, at, learn) {
      const digest = answer.digest ?? request.reference.digest ?? digestOf(answer);
      const { tag } = request.reference;
      const step = { from: keyOf(request), source: request.from.key, tag, digest, at };
      if (answer.facts !== undefined && request.method === 'GET') {
        if (tag !== undefined && digest !== undefined) tags.note(step.from, digest, tag);
        return got(request, step, answer.facts);
      }
      const { contentType, body } = answer;
      const found = { contentType, body, digest, place: placeOf(request) };
      if (answer.status === 304) {
        if (request.method === 'GET') goesOn(visits.end(step));
        return soon(publish('io.weir.check', request, step, knowledge.recall(found)), () => {});
      }
      if (answer.status < 200 || answer.status > 299) return undefined;
      if (tag !== undefined && digest !== undefined) tags.note(step.from, digest, tag);
      if (request.method === 'HEAD') return head(request, step, found);
      if (isIndex(found.contentType)) return index(request, step, found, learn);
      return isImageManifest(found.contentType) ? image(request, step, { answer, found, learn }) : undefined;
    },
    list(request) {
      const said = { tag: undefined, digest: request.reference.digest };
      return soon(eventOf('io.weir.referrer', request, said, { kind: 'list' }), send);
    },
    ping: visits.ping,
    flush: checks.flush,
    state: () => ({ visits: visits.size, checks: checks.size }),
  };
}

/** What the manifest itself does not tell, the tag may; whoever cannot be asked is taken for an image. */
function withKind(known: Facts, tag: string | undefined): Facts & { kind: NonNullable<Facts['kind']> } {
  const byTag = kindOfTag(tag);
  const read = known.kind ?? 'image';
  const kind = isPulled(read) && byTag !== undefined && byTag !== 'list' ? byTag : read;
  return kind === known.kind ? (known as Facts & { kind: typeof kind }) : { ...known, kind };
}
