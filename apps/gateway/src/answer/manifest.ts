import { mediaTypeOf, recognize, type RegistryPath } from '@weir/registry';
import { contradicts } from '../digest';
import { addMissingDigest } from './digest-header';
import type { Exchange, Gateway, How } from './exchange';
import { requestHeaders, type Headers } from './headers';
import { MAX_MANIFEST_BYTES } from '../count/knowledge';
import { clientHeaders, redirect } from './pass-on';
import { answeredBy } from '../count/asking';
import type { ManifestRequest } from '../count/request';
import { readAhead } from './read-ahead';
import { takesRedirectTo } from './redirect-target';
import { relay, send } from './relay';
import { UpstreamError, type Answer } from './upstream';
import type { Soon } from '../soon';

type AskedManifest = Extract<RegistryPath, { kind: 'manifest' }>;

/** A manifest: redirected where that is certain to work and to be counted once, proxied otherwise. */
export function answerManifest(gateway: Gateway, exchange: Exchange, asked: AskedManifest): Soon<How> {
  const { recorder, readability } = gateway;
  const { upstream, name, query } = exchange;
  const wanted = manifestRequestOf(gateway, exchange, asked);
  const path = `/v2/${name}/manifests/${asked.reference.tag ?? asked.reference.digest}`;

  // 11. What must or might go wrong when redirected is proxied.
  if (!mayRedirect(gateway, exchange, wanted)) return proxy(gateway, exchange, wanted, path);

  // 12. Not known to be readable by everybody: the upstream is asked before the client is sent there.
  const to = `${upstream.publicUrl}${path}${query}`;
  if (readability.of(upstream.name, name) !== 'open') return askFirst(gateway, exchange, wanted, { path, to });

  // 13. Redirected at once; what the client got there is found out afterwards.
  redirect(exchange, to);
  recorder.redirected(wanted);
  return 'redirect';
}

async function askFirst(
  gateway: Gateway,
  exchange: Exchange,
  wanted: ManifestRequest,
  { path, to }: { path: string; to: string },
): Promise<How> {
  const { recorder, readability } = gateway;
  const { upstream, name } = exchange;
  const answer = await recorder.ask(wanted, exchange.signal());
  readability.note(upstream.name, name, answer.status);
  if (readability.of(upstream.name, name) !== 'open' || answer.status >= 400)
    return proxy(gateway, exchange, wanted, path);
  redirect(exchange, to);
  recorder.answered(wanted, answer);
  return 'redirect';
}

function mayRedirect({ recorder, readability }: Gateway, exchange: Exchange, wanted: ManifestRequest): boolean {
  const { method, rule, request, upstream, name } = exchange;
  if (rule.mode === 'proxy' || upstream.publicUrl === undefined) return false;
  // A HEAD has no bytes to save: asking once for both of us is cheaper than asking twice.
  if (method === 'HEAD') return false;
  // Credentials stay behind when a client goes to another host, or it comes back here to start again.
  if (wanted.authorization !== undefined) return false;
  if (readability.of(upstream.name, name) === 'closed') return false;
  const { can } = recognize(request.headers['user-agent']);
  if (!takesRedirectTo(upstream.publicUrl, request.headers.host, can)) return false;
  if (rule.mode === 'auto' && !can?.follows307) return false;
  return recorder.hasRoom();
}

/**
 * The upstream's answer through the gateway. A manifest is read whole before anything of it is sent, so that one that
 * breaks off or is not what its digest names becomes an error that people can read, not half an answer.
 */
async function proxy(gateway: Gateway, exchange: Exchange, wanted: ManifestRequest, path: string): Promise<How> {
  const { method, request, response, query, upstream, name } = exchange;
  const signal = exchange.signal();
  // Without compression and as a whole, so that the manifest can be read on its way.
  const headers = requestHeaders(request.headers, ['accept-encoding', 'range', 'if-range']);
  const asked = await upstream.ask({ method, path: `${path}${query}`, headers, signal, elsewhere: 'follow' });
  const answer = await addMissingDigest(wanted, asked, { path: `${path}${query}`, headers, signal });
  if (wanted.authorization === undefined) gateway.readability.note(upstream.name, name, answer.status);
  const seen = answeredBy(answer.status, answer.headers);
  const toClient = varying(clientHeaders(gateway, exchange, answer));

  if (answer.status === 200 && mediaTypeOf(seen.contentType) === 'text/html') {
    await answer.body.dump({ limit: MAX_MANIFEST_BYTES }).catch(() => {});
    throw new UpstreamError('nonsense', 'the upstream registry answered a web page in the place of a manifest');
  }
  if (!isReadable(method, answer)) {
    if (await relay(answer, response, toClient)) gateway.recorder.answered(wanted, seen);
    return 'proxy';
  }

  const read = await readAhead(answer, MAX_MANIFEST_BYTES);
  if ('flow' in read) {
    if (await relay({ ...answer, body: read.flow }, response, toClient)) gateway.recorder.answered(wanted, seen);
    return 'proxy';
  }
  for (const digest of new Set([wanted.reference.digest, seen.digest]))
    if (contradicts(digest, seen.contentType, read.whole))
      throw new UpstreamError('nonsense', 'the upstream registry answered a manifest that its digest does not name');
  if (await send(read.whole, response, toClient)) gateway.recorder.answered(wanted, { ...seen, body: read.whole });
  return 'proxy';
}

/** Does the answer have the manifest itself, whole and as it is? */
function isReadable(method: string, { status, headers }: Answer): boolean {
  if (method === 'HEAD' || status !== 200 || headers['content-encoding'] !== undefined) return false;
  return Number(headers['content-length'] ?? 0) <= MAX_MANIFEST_BYTES;
}

/** Which manifest a tag has depends on what the client accepts, and perhaps on who it is: caches must tell them apart. */
function varying(headers: Headers): Headers {
  return { ...headers, vary: [headers['vary'] ?? [], 'Accept, Authorization'].flat() };
}

/** What counting has to know of a request for a manifest, or for the referrers of one. */
export function manifestRequestOf(
  { identity, sources }: Gateway,
  exchange: Exchange,
  asked: Pick<AskedManifest, 'name' | 'reference'>,
): ManifestRequest {
  const { at, method, rule, upstream, name, request } = exchange;
  const { headers } = request;
  const reference = asked.reference.tag ?? asked.reference.digest;
  return {
    at,
    method,
    rule,
    upstream,
    name,
    repository: asked.name,
    reference: asked.reference,
    client: recognize(headers['user-agent']).client,
    from: sources.of(request, { at, repository: asked.name, reference }),
    accept: headers.accept,
    ifNoneMatch: headers['if-none-match'],
    authorization: headers.authorization,
    organization: () =>
      headers.authorization === undefined ? undefined : identity.organizationOf(headers.authorization),
  };
}
