import type { Where } from './recorder';
import type { Request } from './wire';

/** One request, short: `HEAD :v1 200`, `GET @digest with login 200`, `GET blob 200 (upstream)`. */
export function askedOf({ where, request }: { where: Where; request: Request }): string {
  const { method, target, status, range, credentials } = request;
  const part = range === undefined ? '' : ' part';
  const login = credentials.includes('authorization') ? ' with login' : '';
  return `${method} ${thingOf(target)}${part}${login} ${status}${where === 'gateway' ? '' : ` (${where})`}`;
}

/** The same request several times in a row is said once: `GET blob 307 ×3`. */
export function inShort(asked: readonly string[]): string[] {
  const runs: { line: string; times: number }[] = [];
  for (const line of asked) {
    const last = runs.at(-1);
    if (last?.line === line) last.times += 1;
    else runs.push({ line, times: 1 });
  }
  return runs.map(({ line, times }) => (times === 1 ? line : `${line} ×${times}`));
}

function thingOf(target: string): string {
  const path = target.split('?')[0] ?? '';
  const [, kind, reference = ''] = /^\/v2\/.+\/(manifests|blobs|referrers|tags)\/([^/]+)$/.exec(path) ?? [];
  if (kind === 'blobs') return 'blob';
  if (kind === 'manifests') return reference.includes(':') ? '@digest' : `:${reference.replace(/^sha256-.*\./, '….')}`;
  return kind ?? path;
}
