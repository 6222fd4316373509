import type { ImageConfig, Manifest } from '@weir/registry';
import { explainTls, type Context } from '@weir/service';
import {
  decodeConfig,
  decodeManifest,
  encodeConfig,
  encodeManifest,
  MAX_LEARNED_BYTES,
  type LearnedConfig,
} from './learned';
import { createExpiring } from '../lru';
import type { Metrics } from '../metrics';
import { openRedis } from '../redis';

/**
 * What the gateways of one Redis have learned of digests: what one has fetched, no other has to fetch. Only what a
 * gateway has read in content that its digest names is written here. Nobody waits for it longer than 250 ms, and
 * nothing fails without it.
 */
export interface SharedKnowledge {
  /** What the manifest of this type and digest says; undefined when nobody has told, or Redis does not. */
  manifest(digest: string, type: Manifest['type']): Promise<Manifest | undefined>;
  /** What the configuration with this digest says; undefined also when these labels were not looked for in it. */
  config(digest: string, labels: readonly string[]): Promise<ImageConfig | undefined>;
  tellManifest(digest: string, manifest: Manifest): void;
  tellConfig(digest: string, learned: LearnedConfig): void;
  close(): void;
}

const ANSWER_TIMEOUT_MS = 250;
/** A Redis that does not answer is left alone this long: its silence costs one question 250 ms, not each. */
const PAUSE_MS = 5_000;
const TTL_SECONDS = 30 * 24 * 3600;
/** A digest's time begins anew when it is used, once a day for each gateway. */
const REFRESH_MS = 24 * 3600 * 1000;
const MAX_FRESH = 20_000;

const keyOf = (digest: string): string => `weir:digest:${digest}`;

/** The user needs `+getrange +set +expire` on `weir:digest:*`. */
export async function openSharedKnowledge({
  url,
  log,
  metrics,
}: {
  url: string;
  log: Pick<Context['log'], 'warn' | 'info'>;
  metrics: Metrics;
}): Promise<SharedKnowledge> {
  const redis = await openRedis(url, ANSWER_TIMEOUT_MS);
  const fresh = createExpiring<true>(MAX_FRESH, REFRESH_MS);
  let pausedUntil = 0;
  let away = false;
  let closing = false;

  /** Once for each time that Redis goes away, not for each question. */
  function isAway(reason: string): void {
    if (!away) log.warn({ reason }, `Redis at ${new URL(url).host} cannot be used: this gateway learns for itself`);
    away = true;
  }
  redis.on('error', (error: Error) => isAway(explainTls(error) ?? error.message));
  redis.on('close', () => closing || isAway('the connection is closed'));

  /** Undefined when there is no answer, at once where none can be expected. */
  async function ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    if (redis.status !== 'ready' || performance.now() < pausedUntil) return undefined;
    try {
      const answer = await question();
      if (away) log.info(`Redis at ${new URL(url).host} is used again`);
      away = false;
      return answer;
    } catch (error) {
      pausedUntil = performance.now() + PAUSE_MS;
      isAway((error as Error).message);
      // What Redis itself says came over a connection that works; one that is silent may be dead.
      if (!isReply(error)) redis.disconnect(true);
      return undefined;
    }
  }

  async function look<T>(digest: string, decode: (text: string) => T | undefined): Promise<T | undefined> {
    const key = keyOf(digest);
    const said = await ask(() => redis.getrange(key, 0, MAX_LEARNED_BYTES).catch(wrongType));
    const found = said ? decode(said) : undefined;
    metrics.sharedLookups.inc({ outcome: outcomeOf(said, found) });
    if (found !== undefined && !fresh.get(digest)) {
      fresh.set(digest, true);
      void ask(() => redis.expire(key, TTL_SECONDS));
    }
    return found;
  }

  /** Over whatever is there: what this gateway has read in the content itself is right. */
  function tell(digest: string, text: string | undefined): void {
    if (text === undefined || fresh.get(digest)) return;
    void ask(() => redis.set(keyOf(digest), text, 'EX', TTL_SECONDS)).then((done) => done && fresh.set(digest, true));
  }

  return {
    manifest(digest, type) {
      return look(digest, (text) => {
        const learned = decodeManifest(text);
        return learned?.type === type ? learned : undefined;
      });
    },
    config(digest, labels) {
      return look(digest, (text) => {
        const learned = decodeConfig(text);
        return learned && labels.every((label) => learned.looked.includes(label)) ? learned.config : undefined;
      });
    },
    tellManifest: (digest, manifest) => tell(digest, encodeManifest(manifest)),
    tellConfig: (digest, learned) => tell(digest, encodeConfig(learned)),
    close() {
      closing = true;
      redis.disconnect();
    },
  };
}

/** A key that holds something else than text holds nothing that a gateway has written. */
function wrongType(error: unknown): string {
  if (isReply(error) && error.message.startsWith('WRONGTYPE')) return '?';
  throw error;
}

/** An error that Redis itself has answered. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

function outcomeOf(said: string | undefined, found: unknown): 'found' | 'unknown' | 'unusable' | 'unanswered' {
  if (said === undefined) return 'unanswered';
  if (said === '') return 'unknown';
  return found === undefined ? 'unusable' : 'found';
}
