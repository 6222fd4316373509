import { isDigest } from '@weir/registry';
import { backoff } from '@weir/service';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deadlines } from './deadlines';
import { MAX_MANIFEST_BYTES } from './knowledge';
import type { Answered, ManifestRequest } from './request';
import { readBody, UpstreamError } from '../answer/upstream';

const ASK_ATTEMPTS = 3;

/** What the upstream would answer the client, headers only. @throws UpstreamError */
export async function ask(request: ManifestRequest, signal: AbortSignal): Promise<Answered> {
  const head = await askWith('HEAD', request, signal);
  // An upstream that knows no HEAD, or leaves the digest out (a MAY until distribution specification 1.1).
  const unclear = head.status === 405 || (head.status === 200 && head.digest === undefined);
  return unclear ? askWith('GET', request, signal) : head;
}

async function askWith(method: 'GET' | 'HEAD', request: ManifestRequest, signal: AbortSignal): Promise<Answered> {
  const { upstream, name, reference, accept, ifNoneMatch } = request;
  const answer = await upstream.ask({
    method,
    path: `/v2/${name}/manifests/${reference.tag ?? reference.digest}`,
    headers: {
      'user-agent': 'weir',
      ...(accept === undefined ? {} : { accept }),
      ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
    },
    signal,
    elsewhere: 'follow',
  });
  const answered = answeredBy(answer.status, answer.headers);
  return { ...answered, body: await readBody(answer, method === 'GET' ? MAX_MANIFEST_BYTES : 0) };
}

/** The client has its redirect; what it will get has to be found out, so a hiccup of the upstream is sat out. */
export async function askPatiently(request: ManifestRequest, deadlines: Deadlines): Promise<Answered> {
  const pause = backoff({ initialMs: 200, maxMs: 2_000 });
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await deadlines.within((signal) => ask(request, signal));
      if (answer.status !== 429 && answer.status < 500) return answer;
      if (attempt === ASK_ATTEMPTS) throw new UpstreamError('unreachable', `the upstream answers ${answer.status}`);
    } catch (error) {
      if (attempt === ASK_ATTEMPTS || deadlines.stopped()) throw error;
    }
    await sleep(pause.next());
  }
}

/** The part of an answer's headers that counting looks at. A digest that is none would make an event that nobody takes. */
export function answeredBy(status: number, headers: Record<string, string | string[] | undefined>): Answered {
  const one = (name: string) => [headers[name]].flat()[0];
  const digest = one('docker-content-digest');
  return { status, contentType: one('content-type'), digest: isDigest(digest ?? '') ? digest : undefined };
}
