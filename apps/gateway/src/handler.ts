import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { parseRegistryPath, type RegistryPath } from '@weir/registry';
import { answerBlob } from './answer/blob';
import type { Exchange, Gateway, How } from './answer/exchange';
import { answerManifest, manifestRequestOf } from './answer/manifest';
import { passOn } from './answer/pass-on';
import { refuse, upstreamRefusal, type Refusal } from './answer/refuse';
import type { Rule } from './rules/rules';
import { UpstreamError, type Upstream } from './answer/upstream';

/** The ladder of docs/request-handling.md, step by step. */
export function createHandler(current: () => Gateway): RequestListener {
  return (request, response) => {
    const gateway = current();
    const { metrics, log } = gateway;
    const started = performance.now();
    const route = routeOf(request.url ?? '');
    climb(gateway, request, response)
      .catch((error: unknown): How => {
        log.error({ err: error }, 'a request could not be answered');
        if (!response.headersSent) refuse(response, { status: 500, code: 'UNKNOWN', message: 'the gateway failed' });
        else response.destroy();
        return 'refuse';
      })
      .then((answer) => {
        metrics.requests.inc({ route, answer, status: `${Math.floor(response.statusCode / 100)}xx` });
        metrics.answerSeconds.observe({ route }, (performance.now() - started) / 1000);
      }, () => {}); // prettier-ignore
  };
}

async function climb(gateway: Gateway, request: IncomingMessage, response: ServerResponse): Promise<How> {
  const at = new Date();
  const no = (refusal: Refusal): How => {
    refuse(response, refusal);
    return 'refuse';
  };

  // 1. A request with a body is answered and its connection closed: nothing that is sent here is read.
  if (request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0')
    response.setHeader('connection', 'close');

  // 2. No source takes everything from the others.
  const seconds = gateway.rateLimit.wait(gateway.addressOf(request));
  if (seconds !== undefined) return no(tooMany(seconds));

  // 3. HTTP/1, for the parser still takes requests without a version. The target is a path: no other server's URL,
  // nothing that cannot stand in a Location.
  const [path = '', query = ''] = split(request.url ?? '');
  if (request.httpVersionMajor !== 1 || !/^\/[\x21-\x7e]*$/.test(path + query) || query.includes('#')) {
    return no({
      status: 400,
      code: 'UNSUPPORTED',
      message: 'the request is not HTTP/1 for a path of visible ASCII characters',
    });
  }

  // 4. Only reading.
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    const message = 'only GET and HEAD are allowed: this gateway is for pulling; push to the registry itself';
    return no({ status: 405, code: 'UNSUPPORTED', message, headers: { allow: 'GET, HEAD' } });
  }

  // 5. No list of all images: it is the upstream's secret and takes it long (registry.k8s.io#162).
  const asked = parseRegistryPath(path);
  if (asked.kind === 'catalog') return no({ status: 404, code: 'UNSUPPORTED', message: '_catalog is not supported' });

  // 6. Names, tags and digests follow their grammar, so that no path can mean anything else upstream.
  if (asked.kind === 'invalid') {
    const status = asked.code === 'UNSUPPORTED' ? 404 : 400;
    return no({ status, code: asked.code, message: asked.message });
  }

  // 7. The rules say which upstream; the Host header chooses among them and nothing else.
  const found = findRule(gateway, asked, request.headers.host);
  if (found === undefined) return no(unknownName(asked));
  const upstream = gateway.upstreams.get(found.rule.upstream.name) as Upstream;
  const exchange: Exchange = { at, method, request, response, query, upstream, signal: whileOpen(response), ...found };

  try {
    switch (asked.kind) {
      // 8. /v2/ is passed on, so that a challenge reaches the client.
      case 'base': {
        const status = await passOn(gateway, exchange, '/v2/');
        gateway.recorder.pinged(gateway.sources.of(request), status);
        return 'proxy';
      }
      // 9. So are lists of tags and of referrers, their links kept on the gateway.
      case 'tags':
        await passOn(gateway, exchange, `/v2/${found.name}/tags/list`, asked.name);
        return 'proxy';
      case 'referrers': {
        const status = await passOn(gateway, exchange, `/v2/${found.name}/referrers/${asked.digest}`, asked.name);
        const { name, digest } = asked;
        gateway.recorder.listed(manifestRequestOf(gateway, exchange, { name, reference: { digest } }), status);
        return 'proxy';
      }
      // 10. The bytes of blobs flow past the gateway.
      case 'blob':
        return await answerBlob(gateway, exchange, asked);
      // 11. to 13. Manifests are what is counted.
      case 'manifest':
        return await answerManifest(gateway, exchange, asked);
    }
  } catch (error) {
    // 14. An upstream without an answer.
    if (!(error instanceof UpstreamError)) throw error;
    if (error.reason !== 'gone') {
      gateway.metrics.upstreamErrors.inc({ upstream: upstream.name, reason: error.reason });
      const because = error.reason === 'refused' ? { because: (error.cause as Error).message } : {};
      gateway.log.warn({ upstream: upstream.name, reason: error.message, ...because }, 'no answer from upstream');
    }
    if (response.headersSent) response.destroy();
    else refuse(response, upstreamRefusal(error, upstream.name));
    return 'refuse';
  }
}

function tooMany(seconds: number): Refusal {
  const message = `too many requests from this address; go on in ${seconds} s`;
  return { status: 429, code: 'TOOMANYREQUESTS', message, headers: { 'retry-after': String(seconds) } };
}

type Asked = Exclude<RegistryPath, { kind: 'catalog' | 'invalid' }>;

function findRule(
  { rules }: Gateway,
  asked: Asked,
  host: string | undefined,
): { rule: Rule; name: string } | undefined {
  if (asked.kind === 'base') {
    const rule = rules.findForHost(host);
    return rule && { rule, name: '' };
  }
  const rule = rules.find(host, asked.name);
  const name = rule?.nameAtUpstream(asked.name);
  return rule === undefined || name === undefined ? undefined : { rule, name };
}

function unknownName(asked: Asked): Refusal {
  if (asked.kind === 'base')
    return { status: 404, code: 'NAME_UNKNOWN', message: 'this gateway serves no images under this host name' };
  const message = `no rule of this gateway serves the image ${asked.name} under this host name`;
  return { status: 404, code: 'NAME_UNKNOWN', message, detail: { name: asked.name } };
}

function split(url: string): [path: string, query: string] {
  const mark = url.indexOf('?');
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark)];
}

/** A few words for the metrics; whatever a client sends, there are no more of them. */
function routeOf(url: string): string {
  const { kind } = parseRegistryPath(split(url)[0]);
  return kind;
}

function whileOpen(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
