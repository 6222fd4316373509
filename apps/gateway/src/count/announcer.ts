import { createEvent, type WeirEvent } from '@weir/events';
import type { Context } from '@weir/service';
import type { Facts } from './knowledge';
import type { SourceFacts } from '../source/sources';
import type { Metrics } from '../metrics';
import type { ManifestRequest } from './request';
import { soon, type Soon } from '../soon';

type Outcome = 'confirmed' | 'spooled';

/** The one thing of a publisher that the gateway needs. */
export interface Publishes {
  /** Resolves with what has become of each. */
  publishAll(events: readonly WeirEvent[]): Promise<PromiseSettledResult<Outcome>[]>;
}

/** What an event says beside what its request and its image do. */
export interface Said {
  tag: string | undefined;
  digest: string | undefined;
}

/** Makes events of requests and hands them to the publisher. */
export interface Announcer {
  eventOf(type: string, request: ManifestRequest, said: Said, known: Facts): Soon<WeirEvent>;
  /** The event of the download that belongs to the event of a pull: of the same moment, so that both are of one day. */
  downloadOf(pull: WeirEvent, fetched: { bytes: number; layers: number }): WeirEvent;
  /** Hands it to the publisher in a moment, with all others that are made meanwhile. */
  send(event: WeirEvent): void;
  /** Hands over at once what is still here. */
  flush(): void;
  /** How many are still here. */
  waiting(): number;
}

/** Who asked. */
interface Who {
  organization: string | undefined;
  ofSource: SourceFacts;
}

export function createAnnouncer(options: {
  publisher: Publishes;
  metrics: Metrics;
  log: Pick<Context['log'], 'error'>;
  /** `source` of the events. */
  source: string;
}): Announcer {
  const { publisher, metrics, log, source } = options;
  /** In this round of the event loop. */
  let made: WeirEvent[] = [];

  /** What is not known is undefined, and no field of the JSON. */
  function eventOf(type: string, request: ManifestRequest, said: Said, known: Facts, who: Who): WeirEvent {
    const { repository, client, rule, upstream } = request;
    const { tag, digest } = said;
    const { kind, artifactType, platform, bytes, labels = {} } = known;
    const { organization, ofSource } = who;
    const isFusion = type === 'io.weir.pull' && rule.fusion?.matches({ repository, tag, labels });
    const data = {
      repository,
      tag,
      digest,
      kind,
      artifactType,
      platform,
      bytes,
      client,
      user: organization === undefined ? undefined : { organization },
      fusion: isFusion || undefined,
      source: ofSource.source,
      country: ofSource.country,
      network: ofSource.network,
      pattern: ofSource.pattern,
      registry: upstream.name,
    };
    return createEvent(type, data, { source, time: request.at, subject: repository });
  }

  return {
    eventOf(type, request, said, known) {
      const facts = request.from.facts();
      return soon(request.organization(), (organization) =>
        soon(facts, (ofSource) => eventOf(type, request, said, known, { organization, ofSource })),
      );
    },
    downloadOf(pull, fetched) {
      const { subject } = pull;
      const origin = { source, time: new Date(pull.time), ...(subject === undefined ? {} : { subject }) };
      return createEvent('io.weir.download', { ...pull.data, ...fetched, pull: pull.id }, origin);
    },
    send(event) {
      if (made.length === 0) setImmediate(flush);
      made.push(event);
    },
    flush,
    waiting: () => made.length,
  };

  function flush(): void {
    const events = made;
    made = [];
    if (events.length === 0) return;
    new Promise<PromiseSettledResult<Outcome>[]>((resolve) => resolve(publisher.publishAll(events))).then(
      (outcomes) => outcomes.forEach((outcome, place) => tell(events[place] as WeirEvent, outcome)),
      (reason: unknown) => events.forEach((event) => tell(event, { status: 'rejected', reason })),
    );
  }

  function tell({ id, type }: WeirEvent, outcome: PromiseSettledResult<Outcome>): void {
    if (outcome.status === 'fulfilled') return metrics.announced(type, outcome.value);
    metrics.announced(type, 'failed');
    log.error({ event: id, reason: (outcome.reason as Error).message }, 'an event could not be published');
  }
}
