import { capabilityOf, parseClient, type RegistryPath } from '@weir/registry';
import type { Exchange, Gateway, How } from './exchange';
import { addMissingDigest } from './digest-header';
import { requestHeaders } from './headers';
import { MAX_MANIFEST_BYTES } from '../count/knowledge';
import { clientHeaders, redirect } from './pass-on';
import { answeredBy } from '../count/asking';
import type { ManifestRequest } from '../count/request';
import { takesRedirectTo } from './redirect-target';
import { createCollector, relay } from './relay';

type AskedManifest = Extract<RegistryPath, { kind: 'manifest' }>;

/** A manifest: redirected where that is certain to work and to be counted once, proxied otherwise. */
export async function answerManifest(gateway: Gateway, exchange: Exchange, asked: AskedManifest): Promise<How> {
  const { recorder, readability } = gateway;
  const { upstream, name, query, signal } = exchange;
  const visit = visitOf(gateway, exchange, asked);
  const path = `/v2/${name}/manifests/${asked.reference.tag ?? asked.reference.digest}`;

  // 10. What must or might go wrong when redirected is proxied.
  if (!mayRedirect(gateway, exchange, visit)) return proxy(gateway, exchange, visit, path);

  // 11. Not known to be readable by everybody: the upstream is asked before the client is sent there.
  const to = `${upstream.publicUrl}${path}${query}`;
  if (readability.of(upstream.name, name) !== 'open') {
    const answer = await recorder.ask(visit, signal);
    readability.note(upstream.name, name, answer.status);
    if (readability.of(upstream.name, name) !== 'open' || answer.status >= 400)
      return proxy(gateway, exchange, visit, path);
    redirect(exchange, to);
    recorder.answered(visit, answer);
    return 'redirect';
  }

  // 12. Redirected at once; what the client got there is found out afterwards.
  redirect(exchange, to);
  recorder.redirected(visit);
  return 'redirect';
}

function mayRedirect({ recorder, readability }: Gateway, exchange: Exchange, visit: ManifestRequest): boolean {
  const { method, rule, request, upstream, name } = exchange;
  if (rule.mode === 'proxy' || upstream.publicUrl === undefined) return false;
  // A HEAD has no bytes to save: asking once for both of us is cheaper than asking twice.
  if (method === 'HEAD') return false;
  // Credentials stay behind when a client goes to another host, or it comes back here to start again.
  if (visit.authorization !== undefined) return false;
  if (readability.of(upstream.name, name) === 'closed') return false;
  const can = capabilityOf(visit.client);
  if (!takesRedirectTo(upstream.publicUrl, request.headers.host, can)) return false;
  if (rule.mode === 'auto' && !can?.follows307) return false;
  return recorder.hasRoom();
}

async function proxy(gateway: Gateway, exchange: Exchange, visit: ManifestRequest, path: string): Promise<How> {
  const { method, request, response, query, upstream, name, signal } = exchange;
  // Without compression, so that the manifest can be read on its way.
  const headers = requestHeaders(request.headers, ['accept-encoding']);
  const answer = await upstream.ask({ method, path: `${path}${query}`, headers, signal, elsewhere: 'follow' });
  if (visit.authorization === undefined) gateway.readability.note(upstream.name, name, answer.status);

  const shown = await addMissingDigest(visit, answer, { path: `${path}${query}`, headers, signal });
  const collector = createCollector(MAX_MANIFEST_BYTES);
  const whole = await relay(shown, response, clientHeaders(exchange, shown), collector.take);
  if (!whole) return 'proxy';
  const encoded = answer.headers['content-encoding'] !== undefined || answer.status !== 200;
  gateway.recorder.answered(visit, {
    ...answeredBy(shown.status, shown.headers),
    body: encoded ? undefined : collector.body(),
  });
  return 'proxy';
}

/** What counting has to know of a request for a manifest, or for the referrers of one. */
export function visitOf(
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
    client: parseClient(headers['user-agent']),
    from: sources.of(request, { at, repository: asked.name, reference }),
    accept: headers.accept,
    ifNoneMatch: headers['if-none-match'],
    authorization: headers.authorization,
    organization: () => identity.organizationOf(headers.authorization),
  };
}
