import { capabilityOf, parseClient } from '@weir/registry';
import type { Exchange, Gateway, How } from './exchange';
import { requestHeaders } from './headers';
import { clientHeaders, redirect } from './pass-on';
import { takesRedirectTo } from './redirect-target';
import { relay } from './relay';
import { redirectOf } from './upstream';

/**
 * A blob: its bytes go from where they are to the client without passing the gateway, wherever that can be.
 *
 * 1. A client that needs no credentials is redirected to the upstream; one that sends some only where the rule says
 *    so, and only when it logs in there by itself.
 * 2. For others the upstream is asked; where it redirects (to its object storage), so does the gateway.
 * 3. What is left is streamed, as fast as the client reads.
 */
export async function answerBlob(gateway: Gateway, exchange: Exchange, digest: string): Promise<How> {
  const { method, request, response, query, upstream, name, signal } = exchange;
  const path = `/v2/${name}/blobs/${digest}`;

  const { publicUrl } = upstream;
  if (publicUrl !== undefined && canFetchItself(gateway, exchange, publicUrl)) {
    redirect(exchange, `${publicUrl}${path}${query}`);
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
  await relay(answer, response, clientHeaders(exchange, answer), (chunk) =>
    gateway.metrics.blobBytes.inc(chunk.length),
  );
  return 'proxy';
}

/** Will the client get the blob from the upstream on its own? */
function canFetchItself({ readability }: Gateway, exchange: Exchange, publicUrl: string): boolean {
  const { request, rule, upstream, name } = exchange;
  const { headers } = request;
  const can = capabilityOf(parseClient(headers['user-agent']));
  if (!takesRedirectTo(publicUrl, headers.host, can)) return false;
  if (headers.authorization === undefined) return readability.of(upstream.name, name) !== 'closed';
  // Whether it has credentials for that host, too, nobody can see from here: only the rule's author knows.
  return rule.mode === 'redirect' && can?.reauthorizes === true;
}

/** An absolute address of visible ASCII is handed on to the letter: it may be signed. */
function asItCame(location: string | undefined): string | undefined {
  return location !== undefined && /^[\x21-\x7e]+$/.test(location) && URL.canParse(location) ? location : undefined;
}
