import { parseClient, redirectCapability } from '@weir/registry';
import type { Exchange, Gateway, How } from './exchange';
import { requestHeaders } from './headers';
import { clientHeaders, redirect } from './pass-on';
import { refuse, type Refusal } from './refuse';
import { relay } from './relay';
import { redirectOf } from './upstream';

/**
 * A blob: its bytes go from where they are to the client without passing the gateway, wherever that can be.
 *
 * 1. A client that needs no credentials, or takes them to another host itself, is redirected to the upstream.
 * 2. For others the upstream is asked; where it redirects (to its object storage), so does the gateway.
 * 3. What is left is streamed, as fast as the client reads.
 */
export async function answerBlob(gateway: Gateway, exchange: Exchange, digest: string): Promise<How> {
  const { method, request, response, query, upstream, name, signal } = exchange;
  const path = `/v2/${name}/blobs/${digest}`;

  if (upstream.publicUrl !== undefined && canFetchItself(gateway, exchange)) {
    redirect(exchange, `${upstream.publicUrl}${path}${query}`);
    return 'redirect';
  }

  const headers = requestHeaders(request.headers);
  const answer = await upstream.ask({ method, path: `${path}${query}`, headers, signal, elsewhere: 'return' });
  const elsewhere = redirectOf(answer);
  if (elsewhere !== undefined) {
    await answer.body.dump({ limit: 64 * 1024 }).catch(() => {});
    redirect(exchange, asItCame(answer.headers.location) ?? elsewhere.href, answer.status);
    return 'upstream-redirect';
  }
  if (answer.status === 416) {
    // Distribution 2.8 announces the length of the whole blob, says four words and hangs up.
    await answer.body.dump({ limit: 64 * 1024 }).catch(() => {});
    refuse(response, unsatisfiable(answer.headers['content-range']));
    return 'proxy';
  }
  await relay(answer, response, clientHeaders(gateway, exchange, answer), (chunk) =>
    gateway.metrics.blobBytes.inc(chunk.length),
  );
  return 'proxy';
}

function unsatisfiable(range: string | undefined): Refusal {
  const message = 'the blob ends before this range begins';
  const length = range !== undefined && /^bytes \*\/\d{1,19}$/.test(range) ? { 'content-range': range } : {};
  return { status: 416, code: 'RANGE_INVALID', message, headers: length };
}

/** Will the client get the blob from the upstream on its own? */
function canFetchItself({ readability }: Gateway, { request, upstream, name }: Exchange): boolean {
  if (request.headers.authorization === undefined) return readability.of(upstream.name, name) !== 'closed';
  return redirectCapability(parseClient(request.headers['user-agent'])) === 'private';
}

/** An absolute address of visible ASCII is handed on to the letter: it may be signed. */
function asItCame(location: string | undefined): string | undefined {
  return location !== undefined && /^[\x21-\x7e]+$/.test(location) && URL.canParse(location) ? location : undefined;
}
