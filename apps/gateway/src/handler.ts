import type { RequestListener, ServerResponse } from 'node:http';
import { parseRegistryPath, type RegistryPath } from '@weir/registry';
import { answerBlob } from './answer/blob';
import type { Exchange, Gateway, How } from './answer/exchange';
import { answerManifest, manifestRequestOf } from './answer/manifest';
import { passOn } from './answer/pass-on';
import { refuse, upstreamRefusal, type Refusal } from './answer/refuse';
import type { Rule } from './rules/rules';
import type { Soon } from './soon';
import { UpstreamError, type Upstream } from './answer/upstream';

/** A path of visible ASCII, perhaps with a query, which has no fragment; what the path may be is the grammar's to say. */
const TARGET = /^\/[\x21-\x3e\x40-\x7e]*(?:\?[\x21\x22\x24-\x7e]*)?$/;

/** The ladder of docs/request-handling.md, step by step. */
export function createHandler(current: () => Gateway): RequestListener {
  return (request, response) => {
    const gateway = current();
    const started = performance.now();
    const [path, query] = split(request.url ?? '');
    const asked = parseRegistryPath(path);
    const answered = (answer: How): void => {
      // The kinds are a few words: whatever a client sends, there are no more of them.
      const { kind } = asked;
      gateway.metrics.answered(kind, answer, response.statusCode, (performance.now() - started) / 1000);
    };
    const failed = (error: unknown): void => {
      gateway.log.error({ err: error }, 'a request could not be answered');
      if (!response.headersSent) refuse(response, { status: 500, code: 'UNKNOWN', message: 'the gateway failed' });
      else response.destroy();
      answered('refuse');
    };
    try {
      const answer = climb(gateway, { request, response, query, asked });
      if (answer instanceof Promise) answer.then(answered).catch(failed);
      else answered(answer);
    } catch (error) {
      failed(error);
    }
  };
}

interface Arrived extends Pick<Exchange, 'request' | 'response' | 'query'> {
  asked: RegistryPath;
}

function climb(gateway: Gateway, { request, response, query, asked }: Arrived): Soon<How> {
  const at = new Date();
  const no = (refusal: Refusal): How => {
    refuse(response, refusal);
    return 'refuse';
  };

  // 1. A request with a body is answered and its connection closed: nothing that is sent here is read.
  if (request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0')
    response.setHeader('connection', 'close');

  // 2. No source takes everything from the others.
  const seconds = gateway.rateLimit?.wait(gateway.addressOf(request));
  if (seconds !== undefined) return no(tooMany(seconds));

  // 3. HTTP/1, for the parser still takes requests without a version. The target is a path: no other server's URL,
  // nothing that cannot stand in a Location.
  if (request.httpVersionMajor !== 1 || !TARGET.test(request.url ?? '')) {
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
  const { rule, name } = found;
  const exchange: Exchange = {
    at,
    method,
    request,
    response,
    query,
    upstream,
    rule,
    name,
    signal: whileOpen(response),
  };
  const answer = answerBy(gateway, exchange, asked);
  return answer instanceof Promise ? answer.catch((error: unknown) => noAnswer(gateway, exchange, error)) : answer;
}

function answerBy(gateway: Gateway, exchange: Exchange, asked: Asked): Soon<How> {
  switch (asked.kind) {
    // 8. /v2/ is passed on, so that a challenge reaches the client.
    case 'base':
      return answerBase(gateway, exchange);
    // 9. So are lists of tags and of referrers, their links kept on the gateway.
    case 'tags':
      return answerTags(gateway, exchange, asked);
    case 'referrers':
      return answerReferrers(gateway, exchange, asked);
    // 10. The bytes of blobs flow past the gateway.
    case 'blob':
      return answerBlob(gateway, exchange, asked);
    // 11. to 13. Manifests are what is counted.
    case 'manifest':
      return answerManifest(gateway, exchange, asked);
  }
}

async function answerBase(gateway: Gateway, exchange: Exchange): Promise<How> {
  const status = await passOn(gateway, exchange, '/v2/');
  gateway.recorder.pinged(gateway.sources.of(exchange.request), status);
  return 'proxy';
}

async function answerTags(gateway: Gateway, exchange: Exchange, { name }: { name: string }): Promise<How> {
  await passOn(gateway, exchange, `/v2/${exchange.name}/tags/list`, name);
  return 'proxy';
}

type AskedReferrers = Extract<RegistryPath, { kind: 'referrers' }>;

async function answerReferrers(gateway: Gateway, exchange: Exchange, asked: AskedReferrers): Promise<How> {
  const { name, digest } = asked;
  const status = await passOn(gateway, exchange, `/v2/${exchange.name}/referrers/${digest}`, name);
  gateway.recorder.listed(manifestRequestOf(gateway, exchange, { name, reference: { digest } }), status);
  return 'proxy';
}

// 14. An upstream without an answer.
/** @throws what is no {@link UpstreamError}. */
function noAnswer({ metrics, log }: Gateway, { upstream: { name }, response }: Exchange, error: unknown): How {
  if (!(error instanceof UpstreamError)) throw error;
  if (error.reason !== 'gone') {
    metrics.upstreamErrors.inc({ upstream: name, reason: error.reason });
    const because = error.reason === 'refused' ? { because: (error.cause as Error).message } : {};
    log.warn({ upstream: name, reason: error.message, ...because }, 'no answer from upstream');
  }
  if (response.headersSent) response.destroy();
  else refuse(response, upstreamRefusal(error, name));
  return 'refuse';
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

/** Made when it is asked for: most answers wait for nobody. */
function whileOpen(response: ServerResponse): () => AbortSignal {
  let controller: AbortController | undefined;
  return () => {
    if (controller !== undefined) return controller.signal;
    const made = (controller = new AbortController());
    const closed = (): void => {
      if (!response.writableFinished) made.abort();
    };
    if (response.closed) closed();
    else response.once('close', closed);
    return made.signal;
  };
}
