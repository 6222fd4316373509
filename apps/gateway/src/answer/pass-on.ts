import { mayPass } from './challenge';
import type { Exchange, Gateway } from './exchange';
import { relinked, requestHeaders, responseHeaders, type Headers } from './headers';
import { relay } from './relay';
import type { Answer } from './upstream';

/**
 * Asks the upstream and streams its answer to the client; `Link` targets under the image stay on the gateway. Resolves
 * with its status when the client has been sent all of it, else with undefined.
 */
export async function passOn(
  gateway: Gateway,
  exchange: Exchange,
  path: string,
  nameOfClient?: string,
): Promise<number | undefined> {
  const { method, request, response, query, upstream } = exchange;
  const headers = requestHeaders(request.headers);
  const signal = exchange.signal();
  const answer = await upstream.ask({ method, path: `${path}${query}`, headers, signal, elsewhere: 'follow' });
  const isWhole = await relay(answer, response, clientHeaders(gateway, exchange, answer, nameOfClient));
  return isWhole ? answer.status : undefined;
}

/** The headers of an upstream's answer as the client of this gateway may take them. */
export function clientHeaders(
  { log }: Pick<Gateway, 'log'>,
  { request, upstream, name }: Exchange,
  answer: Answer,
  nameOfClient?: string,
): Headers {
  const headers = responseHeaders(answer.headers);
  delete headers['location']; // followed, or of an answer that is no redirect
  const { link, 'www-authenticate': challenges } = headers;
  if (link !== undefined && nameOfClient !== undefined) {
    const { url, publicUrl = url } = upstream;
    headers['link'] = relinked(link, { base: answer.url, origins: [url, publicUrl], from: name, to: nameOfClient });
  }
  if (challenges !== undefined) {
    const passing = [challenges].flat().filter(mayPass(upstream));
    if (passing.length < [challenges].flat().length)
      log.warn(
        { upstream: upstream.name, challenge: String(challenges).slice(0, 256) },
        'a challenge is held back: it sends clients to a host that is not among the realms of the upstream',
      );
    if (passing.length > 0) headers['www-authenticate'] = passing;
    else delete headers['www-authenticate'];
  }
  if (request.headers.authorization !== undefined) headers['cache-control'] = forOneAlone(headers['cache-control']);
  return headers;
}

/** An answer to credentials is for one client alone: a cache in between is told so (RFC 9111, 3.5 and 5.2.2.7). */
function forOneAlone(cacheControl: Headers[string] | undefined): string {
  const said = [cacheControl ?? []].flat().join(', ');
  return /(?:^|[\s,])(?:private|no-store)(?:[\s,]|$)/i.test(said) ? said : 'private';
}

/** Names and values in turn: Node writes them as they are. */
const ABOUT_REDIRECTS = [
  'Content-Length', '0',
  'Cache-Control', 'no-store',
  'Docker-Distribution-Api-Version', 'registry/2.0',
]; // prettier-ignore

/**
 * Sends the client elsewhere with the same method: 307 (RFC 9110, 15.4.8). `to` is the upstream's own address with a
 * path that follows the grammar, or what the upstream itself named: no part of it is the client's to choose but the
 * query. The decision was for this client, so nobody keeps it.
 */
export function redirect({ response }: Exchange, to: string, status = 307): void {
  response.writeHead(status, ['Location', to, ...ABOUT_REDIRECTS]);
  response.end();
}
