import { randomBytes } from 'node:crypto';
import type { Context } from '@weir/service';
import type { Soon } from '../soon';
import type { SharedSecrets } from './shared-secrets';

/** A day or month of UTC, `2026-11-27` or `2026-11`, that has a secret of its own. */
export interface Period {
  name: string;
  /** When the next one begins, milliseconds since 1970. */
  end: number;
}

export function dayOf(at: Date): Period {
  const end = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1);
  return { name: at.toISOString().slice(0, 10), end };
}

export function monthOf(at: Date): Period {
  return { name: at.toISOString().slice(0, 7), end: Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1) };
}

export interface Secret {
  /** To be used at once, not kept: undefined from the moment when the secret is destroyed. */
  readonly bytes: Buffer | undefined;
}

/** A random secret for each period, made when the period is first asked for and destroyed with it. */
export interface Secrets {
  /** Undefined for a period that is over. Takes a second at most, and only when the secret is new; never rejects. */
  of(period: Period): Soon<Secret | undefined>;
  /** Destroys all, and makes no more. */
  close(): void;
}

const SECRET_BYTES = 32;
/** A request that arrived before midnight may be counted after it; then the secret is overwritten and dropped. */
const GRACE_MS = 10 * 60_000;
/** A Redis that was away, or has lost what it had, gets the secrets back within this time. */
const AGREE_AGAIN_MS = 10_000;
/** Timers of Node take no more than 24 days. */
const MAX_TIMER_MS = 3600_000;

interface Held {
  name: string;
  until: number;
  bytes: Buffer | undefined;
  /** Redis could not be asked whether the other gateways use another. */
  alone: boolean;
  /** While it is being settled whose secret this period gets. */
  settling: Promise<void> | undefined;
  end?: NodeJS.Timeout;
  again?: NodeJS.Timeout;
}

export interface SecretsOptions {
  /** Absent: every gateway has secrets of its own. */
  shared?: SharedSecrets | undefined;
  /** Told how many secrets in use are this gateway's alone although they should be shared. */
  unshared: { set(count: number): void };
  log: Pick<Context['log'], 'warn' | 'info'>;
  random?: (bytes: number) => Buffer;
  againMs?: number;
}

export function createSecrets(options: SecretsOptions): Secrets {
  const { shared, unshared, log, random = randomBytes, againMs = AGREE_AGAIN_MS } = options;
  const all = new Map<string, Held>();
  let alone = false;
  let closed = false;

  function make({ name, end }: Period): Held {
    const held: Held = {
      name,
      until: end + GRACE_MS,
      bytes: random(SECRET_BYTES),
      alone: false,
      settling: undefined,
    };
    all.set(name, held);
    if (shared !== undefined) held.settling = agree(held, shared).finally(() => (held.settling = undefined));
    destroyInTime(held);
    return held;
  }

  function destroyInTime(held: Held): void {
    const left = held.until - Date.now();
    if (left <= 0) return destroy(held);
    held.end = setTimeout(() => destroyInTime(held), Math.min(left, MAX_TIMER_MS)).unref();
  }

  function destroy(held: Held): void {
    clearTimeout(held.end);
    clearTimeout(held.again);
    held.bytes?.fill(0);
    held.bytes = undefined;
    all.delete(held.name);
  }

  /** The secret that came first is everybody's; until Redis says which, this gateway uses its own. */
  async function agree(held: Held, sharing: SharedSecrets): Promise<void> {
    if (held.bytes === undefined) return;
    let reason: string | undefined;
    try {
      replace(held, await sharing.agree(held.name, held.bytes, held.until));
    } catch (error) {
      reason = (error as Error).message;
    }
    held.alone = reason !== undefined;
    report(reason);
    // Not only after a failure: a Redis that has lost its data gets the secret back.
    if (all.get(held.name) === held) held.again = setTimeout(() => void agree(held, sharing), againMs).unref();
  }

  function report(reason?: string): void {
    const count = [...all.values()].filter(({ alone }) => alone).length;
    unshared.set(count);
    if (count > 0 && !alone)
      log.warn({ reason }, 'sources get pseudonyms of this gateway alone: one that uses two gateways counts twice');
    if (count === 0 && alone) log.info('all gateways give a source the same pseudonym again');
    alone = count > 0;
  }

  return {
    of(period) {
      if (closed || Date.now() >= period.end + GRACE_MS) return undefined;
      const held = all.get(period.name) ?? make(period);
      return held.settling === undefined ? held : held.settling.then(() => held);
    },
    close() {
      closed = true;
      for (const held of all.values()) destroy(held);
    },
  };
}

function replace(held: Held, agreed: Buffer): void {
  const old = held.bytes;
  if (old === undefined || old.equals(agreed)) return void agreed.fill(0);
  held.bytes = agreed;
  old.fill(0);
}
