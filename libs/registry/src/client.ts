/** A container client, from its `User-Agent`. The header is the client's own claim: data, not identity. */
export interface Client {
  /** `docker`, `containerd`, `skopeo` …, or the first product of a string that is on no list; at most 64 characters. */
  name: string;
  /** Version as claimed, without a leading `v`; at most 64 characters. */
  version?: string;
}

/**
 * What a client can do when it is answered 307 to another host:
 * - `private`: follows, and authenticates anew at the other host, so content behind a login works too;
 * - `public`: follows, without credentials: good for content that needs none;
 * - `unknown`: on no list; some such clients take the redirect for the answer.
 */
export type RedirectCapability = 'private' | 'public' | 'unknown';

/** Longest part of a `User-Agent` that is looked at. */
const MAX_USER_AGENT = 512;

interface Entry {
  name: string;
  /** Product as it stands in the header, lower case. */
  product: string;
  /** From which version on the client re-authenticates after a redirect: the first release of each line that has it. */
  reauthenticatesFrom?: readonly string[];
}

/**
 * Strings of real clients: reference gateways-registries-sinks, 2.3 and 2.4. Docker is not among those that
 * re-authenticate: it knows the challenge of the host it pinged and of no other (distribution, auth/session.go,
 * `endpointAuthorizer`), so its credentials stay behind.
 */
const CLIENTS: readonly Entry[] = [
  { product: 'docker', name: 'docker' },
  { product: 'docker-client', name: 'docker' },
  // containerd#5504: CheckRedirect authorizes every hop, since 1.4.9, 1.5.5 and 1.6.0.
  { product: 'containerd', name: 'containerd', reauthenticatesFrom: ['1.4.9', '1.5.5', '1.6.0'] },
  // 0.10 is the first line on containerd 1.6, whose resolver it uses.
  { product: 'buildkit', name: 'buildkit', reauthenticatesFrom: ['0.10.0'] },
  { product: 'cri-o', name: 'cri-o' },
  { product: 'libpod', name: 'podman' },
  { product: 'podman', name: 'podman' },
  { product: 'containers', name: 'containers-image' },
  { product: 'skopeo', name: 'skopeo' },
  { product: 'buildah', name: 'buildah' },
  { product: 'helm', name: 'helm' },
  { product: 'oras', name: 'oras' },
  { product: 'oras-go', name: 'oras' },
  { product: 'crane', name: 'crane' },
  { product: 'go-containerregistry', name: 'go-containerregistry' },
  { product: 'kaniko', name: 'kaniko' },
  { product: 'cosign', name: 'cosign' },
  { product: 'watchtower', name: 'watchtower' },
];
const byProduct = new Map(CLIENTS.map((entry) => [entry.product, entry]));
const byName = new Map(CLIENTS.map((entry) => [entry.name, entry]));

/** The first product of the header: `product[/version]`, ended by white space, a comma, a bracket or the end. */
const PRODUCT = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:\/([A-Za-z0-9][A-Za-z0-9.+~_-]{0,63}))?(?=[\s,;()]|$)/;

/**
 * Who asks, from the `User-Agent`. Linear in at most 512 bytes, control characters are dropped; undefined when there is
 * no header or it does not start with a product.
 */
export function parseClient(userAgent: string | undefined): Client | undefined {
  const text = (userAgent ?? '').slice(0, MAX_USER_AGENT).replace(CONTROL, '').trim();
  const match = PRODUCT.exec(text);
  if (match === null) return undefined;
  const product = (match[1] ?? '').toLowerCase();
  const version = match[2]?.replace(/^v(?=\d)/, '');
  return { name: byProduct.get(product)?.name ?? product, ...(version === undefined ? {} : { version }) };
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** How this client takes a redirect to another host, by its parsed version, never by a substring. */
export function redirectCapability(client: Client | undefined): RedirectCapability {
  const entry = client && byName.get(client.name);
  if (!entry) return 'unknown';
  const first = entry.reauthenticatesFrom;
  return first && atLeastInLine(client.version, first) ? 'private' : 'public';
}

/** Is the version at or past the first good release of its minor line, or on a line newer than all of those? */
function atLeastInLine(version: string | undefined, firstGood: readonly string[]): boolean {
  const found = numbers(version);
  if (found === undefined) return false;
  return firstGood.some((text, position) => {
    const good = numbers(text) ?? [0, 0, 0];
    const isLast = position === firstGood.length - 1;
    const sameLine = found[0] === good[0] && found[1] === good[1];
    return sameLine ? found[2] >= good[2] : isLast && compare(found, good) > 0;
  });
}

type Numbers = [major: number, minor: number, patch: number];

/** `1.6.24`, `2.3.4-k3s1.36`, `1.4.3+azure`, `0.28`: the first three numbers, missing ones are 0. */
function numbers(version: string | undefined): Numbers | undefined {
  const match = /^(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?/.exec(version ?? '');
  return match ? [Number(match[1]), Number(match[2] ?? 0), Number(match[3] ?? 0)] : undefined;
}

function compare(a: Numbers, b: Numbers): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
