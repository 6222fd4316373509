import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { placeOf, reasonOf } from './ask';
import type { WayTools } from './verdict';

/** No keys to verify with, now. */
export class KeysUnavailable extends Error {
  override name = 'KeysUnavailable';
}

const FRESH_MS = 10 * 60_000;
/** An issuer that does not answer is trusted for so long after its last answer. */
const STALE_MS = 60 * 60_000;
/** Between two questions, whatever tokens come: anybody can make up the name of a key. */
const PAUSE_MS = 10_000;

/**
 * The keys of an issuer, by the header of a token: asked for when there is a token to verify, when they are ten minutes
 * old, and when a token names one that is not among them. Not jose's own remote set, which takes an answer of any size
 * and slowness and asks a failing issuer again for every token.
 *
 * The function throws {@link KeysUnavailable}, or an error of jose for a key that there is not.
 */
export function createKeys(url: string, { ask, now, log }: WayTools): JWTVerifyGetKey {
  let known: { find: JWTVerifyGetKey; at: number } | undefined;
  let askedAt = -Infinity;
  let asking: Promise<void> | undefined;

  async function fetchKeys(): Promise<void> {
    const { createLocalJWKSet } = await import('jose');
    try {
      const { status, json } = await ask(url, { method: 'GET', headers: { accept: 'application/json' } });
      if (status === 200) known = { find: createLocalJWKSet(json as JSONWebKeySet), at: now() };
      else log.warn({ url: placeOf(url), status }, 'the keys of an issuer could not be fetched');
    } catch (error) {
      log.warn({ url: placeOf(url), reason: reasonOf(error) }, 'the keys of an issuer could not be fetched');
    }
  }

  async function refresh(): Promise<void> {
    if (asking === undefined && now() - askedAt < PAUSE_MS) return;
    if (asking === undefined) {
      askedAt = now();
      asking = fetchKeys().finally(() => (asking = undefined));
    }
    await asking;
  }

  const age = (): number => (known === undefined ? Infinity : now() - known.at);

  return async (header, token) => {
    if (age() > FRESH_MS) await refresh();
    if (known === undefined || age() > STALE_MS) throw new KeysUnavailable();
    try {
      return await known.find(header, token);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_JWKS_NO_MATCHING_KEY') throw error;
    }
    await refresh();
    return known.find(header, token);
  };
}
