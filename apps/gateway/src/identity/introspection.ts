import { placeOf, reasonOf, type Question, type Reply } from './ask';
import { createCircuit } from './circuit';
import type { IntrospectionRules } from './identity-file';
import { good, type Verdict, type Way, type WayTools } from './verdict';

/** Fewer than the answers that are counted at once (`AT_ONCE` of the recorder): a slow endpoint does not stop counting. */
const MAX_AT_ONCE = 16;
const FAILURES = 3;
const PAUSE_MS = 10_000;

/**
 * Verifies tokens by asking whoever gave them out.
 * - `user-info`: the endpoint describes the user of the bearer token, as the platform of seed 000 does (`GET
 *   <api>/user-info`, `{"user":{"email"}}`) and OpenID Connect's UserInfo;
 * - `rfc7662`: the endpoint is asked about the token, with credentials of our own.
 */
export function createIntrospection(rules: IntrospectionRules, tools: WayTools): Way {
  const { ask, names, now, log } = tools;
  const { url } = rules;
  const circuit = createCircuit({ failures: FAILURES, pauseMs: PAUSE_MS, now });
  const question = rules.protocol === 'rfc7662' ? aboutToken(rules.clientId, tools.clientSecret ?? '') : asUser;
  const read = rules.protocol === 'rfc7662' ? readIntrospection : readUser;
  let running = 0;

  /** What it says to a token that it does not like: RFC 6750, 3.1. */
  function readUser({ status, json }: Reply): Verdict | undefined {
    if ([400, 401, 403].includes(status)) return { outcome: 'refused' };
    return isObject(json) ? good(names.of(json, rules.namedBy), undefined) : undefined;
  }

  /** Here 401 and 403 speak of us, not of the token (RFC 7662, 2.3). */
  function readIntrospection({ json }: Reply): Verdict | undefined {
    if (!isObject(json) || typeof json['active'] !== 'boolean') return undefined;
    return json['active'] ? good(names.of(json, rules.namedBy), json['exp']) : { outcome: 'refused' };
  }

  function failed(because: { status: number } | { reason: string }): Verdict {
    if (circuit.failed())
      log.warn(
        { url: placeOf(url), ...because },
        'the identity endpoint does not answer: it is left alone for a while',
      );
    return { outcome: 'failed' };
  }

  async function verify(token: string): Promise<Verdict> {
    if (running >= MAX_AT_ONCE || !circuit.allows()) return { outcome: 'skipped' };
    running += 1;
    try {
      const reply = await ask(url, question(token));
      const verdict = read(reply);
      if (verdict === undefined) return failed({ status: reply.status });
      if (circuit.answered()) log.info({ url: placeOf(url) }, 'the identity endpoint answers again');
      return verdict;
    } catch (error) {
      return failed({ reason: reasonOf(error) });
    } finally {
      running -= 1;
    }
  }

  return {
    name: 'introspection',
    verify({ scheme, token }) {
      // A password is the upstream's business, unless it is known to be a token.
      const mayAsk = scheme === 'bearer' || rules.passwords;
      return mayAsk && isToken(token) ? verify(token) : undefined;
    },
  };
}

const asUser = (token: string): Question => ({
  method: 'GET',
  headers: { accept: 'application/json', authorization: `Bearer ${token}` },
});

/** RFC 7662, 2.1; the client's name and secret as in RFC 6749, 2.3.1. */
function aboutToken(clientId: string, clientSecret: string): (token: string) => Question {
  const client = new URLSearchParams([[clientId, clientSecret]]).toString().replace('=', ':');
  const headers = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${Buffer.from(client).toString('base64')}`,
  };
  return (token) => ({
    method: 'POST',
    headers,
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  });
}

/** RFC 6750, 2.1: nothing else can stand in a header. */
const isToken = (text: string): boolean => /^[A-Za-z0-9\-._~+/]+=*$/.test(text);

const isObject = (json: unknown): json is Record<string, unknown> => typeof json === 'object' && json !== null;
