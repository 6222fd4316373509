import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from '@weir/service';
import type { Identity } from '../identity/identity';
import type { Metrics } from '../metrics';
import type { Readability } from './readability';
import type { Recorder } from '../count/recorder';
import type { RateLimit } from '../rate-limit';
import type { Rule, Rules } from '../rules/rules';
import type { Sources } from '../source/sources';
import type { Upstream } from './upstream';

/** What answering needs, under the rules of one moment: a request keeps the one with which it began. */
export interface Gateway {
  rules: Rules;
  identity: Identity;
  sources: Sources;
  upstreams: ReadonlyMap<string, Upstream>;
  /** Absent: there is no limit. */
  rateLimit: RateLimit | undefined;
  /** The address that a request counts for. */
  addressOf: (request: IncomingMessage) => string;
  recorder: Recorder;
  readability: Readability;
  metrics: Metrics;
  log: Pick<Context['log'], 'warn' | 'error'>;
}

/** One request on its way to an answer. */
export interface Exchange {
  at: Date;
  method: 'GET' | 'HEAD';
  request: IncomingMessage;
  response: ServerResponse;
  /** The query with its question mark, as it came. */
  query: string;
  rule: Rule;
  upstream: Upstream;
  /** As the upstream calls the image; empty for `/v2/`. */
  name: string;
  /** Aborts when the client is gone. */
  signal: () => AbortSignal;
}

/** How a request was answered, for the metrics. */
export type How = 'redirect' | 'proxy' | 'upstream-redirect' | 'refuse';
