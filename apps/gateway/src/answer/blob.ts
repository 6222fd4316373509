import { recognize, type RegistryPath } from '@weir/registry';
import type { Exchange, Gateway, How } from './exchange';
import { requestHeaders } from './headers';
import { clientHeaders, redirect } from './pass-on';
import { takesRedirectTo } from './redirect-target';
import { refuse, type Refusal } from './refuse';
import { relay } from './relay';
import { redirectOf } from './upstream';
import type { Recorder } from '../count/recorder';
import type { Soon } from '../soon';

type AskedBlob = Extract<RegistryPath, { kind: 'blob' }>;

/**
 * A blob: its bytes go from where they are to the client without passing the gateway, wherever that can be.
 *
 * 1. A client that needs no credentials is redirected to the upstream; one that sends some only where the rule says
 *    so, and only when it logs in there by itself.
 * 2. For others the upstream is asked; where it redirects (to its object storage), so does the gateway.
 * 3. What is left is streamed, as fast as the client reads.
 */
export function answerBlob(gateway: Gateway, exchange: Exchange, asked: AskedBlob): Soon<How> {
  const { query, upstream, name } = exchange;
  const path = `/v2/${name}/blobs/${asked.digest}${query}`;

  const { publicUrl } = upstream;
  if (publicUrl === undefined || !canFetchItself(gateway, exchange, publicUrl))
    return askAndAnswer(gateway, exchange, asked, path);
  redirect(exchange, publicUrl + path);
  fetching(gateway, exchange, asked)?.('all');
  return 'redirect';
}

async function askAndAnswer(gateway: Gateway, exchange: Exchange, asked: AskedBlob, path: string): Promise<How> {
  const { method, request, response, upstream } = exchange;
  const headers = requestHeaders(request.headers);
  const answer = await upstream.ask({ method, path, headers, signal: exchange.signal(), elsewhere: 'return' });
  const elsewhere = redirectOf(answer);
  if (elsewhere !== undefined) {
    await answer.body.dump({ limit: 64 * 1024 }).catch(() => {});
    redirect(exchange, asItCame(answer.headers.location) ?? elsewhere.href, answer.status);
    fetching(gateway, exchange, asked)?.('all');
    return 'upstream-redirect';
  }
  if (answer.status === 416) {
    // Distribution 2.8 announces the length of the whole blob, says four words and hangs up.
    await answer.body.dump({ limit: 64 * 1024 }).catch(() => {});
    refuse(response, unsatisfiable(answer.headers['content-range']));
    return 'proxy';
  }
  const isWhole = answer.status === 200;
  const sent = isWhole || answer.status === 206 ? fetching(gateway, exchange, asked, isWhole) : undefined;
  let bytes = 0;
  await relay(answer, response, clientHeaders(gateway, exchange, answer), (chunk) => {
    bytes += chunk.length;
    gateway.metrics.blobBytes.inc(chunk.length);
  });
  sent?.(bytes);
  return 'proxy';
}

/** Tells the recorder that the client gets this blob: all of it, or the range that it asks for. */
function fetching(
  { recorder, sources }: Gateway,
  { method, request }: Exchange,
  { name, digest }: AskedBlob,
  isWhole = false,
): ReturnType<Recorder['fetching']> | undefined {
  if (method !== 'GET' || !recorder.followsBlobs()) return undefined;
  const range = isWhole ? undefined : request.headers.range;
  return recorder.fetching({ from: sources.of(request), repository: name, digest, range });
}

function unsatisfiable(range: string | undefined): Refusal {
  const message = 'the blob ends before this range begins';
  const length = range !== undefined && /^bytes \*\/\d{1,19}$/.test(range) ? { 'content-range': range } : {};
  return { status: 416, code: 'RANGE_INVALID', message, headers: length };
}

/** Will the client get the blob from the upstream on its own? */
function canFetchItself({ readability }: Gateway, exchange: Exchange, publicUrl: string): boolean {
  const { request, rule, upstream, name } = exchange;
  const { headers } = request;
  const { can } = recognize(headers['user-agent']);
  if (!takesRedirectTo(publicUrl, headers.host, can)) return false;
  if (headers.authorization === undefined) return readability.of(upstream.name, name) !== 'closed';
  // Whether it has credentials for that host, too, nobody can see from here: only the rule's author knows.
  return rule.mode === 'redirect' && can?.reauthorizes === true;
}

/** An absolute address of visible ASCII is handed on to the letter: it may be signed. */
function asItCame(location: string | undefined): string | undefined {
  return location !== undefined && /^[\x21-\x7e]+$/.test(location) && URL.canParse(location) ? location : undefined;
}
