import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { bareHost, isPublicAddress, isUsableAddress } from '../addresses';
import { hostList } from '../rules/hosts';
import type { UpstreamTarget } from '../rules/rules';

/** The addresses of a host. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

/** Asks the system, as every connection does. */
export const resolveBySystem: Resolve = (host) =>
  new Promise((resolve, reject) =>
    lookup(host, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error))),
  );

/** A host may not be connected to. */
export class DestinationRefused extends Error {
  override name = 'DestinationRefused';
}

/**
 * Where the gateway may go for an upstream: to the upstream itself, wherever it is configured to be, and to where it
 * redirects, as long as that is on the public internet or allowed by name. Names are looked up once, at the moment of
 * connecting, and the connection goes to an address that was looked at: a name that changes its address in between
 * (DNS rebinding) changes nothing.
 */
export interface Destinations {
  /** Looks up the upstream's own host. */
  own: LookupFunction;
  /** Looks up hosts that the upstream redirects to. */
  elsewhere: LookupFunction;
  /** To be asked of every redirect to another host. @throws DestinationRefused */
  check(url: URL): Promise<void>;
}

export function createDestinations(
  { url, redirects }: Pick<UpstreamTarget, 'url' | 'redirects'>,
  resolve: Resolve = resolveBySystem,
): Destinations {
  const home = bareHost(new URL(url).hostname);
  const listed = redirects && hostList(redirects);

  /** An address of the upstream itself is no news to it: registries have their storage beside them. */
  async function isOwn(address: string): Promise<boolean> {
    if (isIP(home) !== 0) return address === home;
    return (await resolve(home)).some((own) => own.address === address);
  }

  const usable = async (address: string) => isUsableAddress(address);
  const publicOrOwn = async (address: string) =>
    isPublicAddress(address) || (isUsableAddress(address) && (await isOwn(address)));

  return {
    own: guarded(resolve, usable),
    elsewhere: guarded(resolve, listed === undefined ? publicOrOwn : usable),
    async check(to) {
      if (listed !== undefined) {
        if (!listed(to)) throw new DestinationRefused(`${to.host} is not among the upstream's redirects`);
        return;
      }
      // An address in the place of a name is connected to without being looked up.
      const address = bareHost(to.hostname);
      if (isIP(address) !== 0 && !(await publicOrOwn(address))) throw notPublic(to.host);
    },
  };
}

/** A lookup that answers only with addresses that may be connected to, and fails when there are none. */
function guarded(resolve: Resolve, may: (address: string) => Promise<boolean>): LookupFunction {
  async function addressesOf(host: string, family: unknown): Promise<LookupAddress[]> {
    const found = (await resolve(host)).filter((one) => (family !== 4 && family !== 6) || one.family === family);
    const verdicts = await Promise.all(found.map(({ address }) => may(address)));
    const allowed = found.filter((_, position) => verdicts[position]);
    if (allowed.length === 0) throw notPublic(host);
    return allowed;
  }

  return (host, options, callback) => {
    addressesOf(host, options.family).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all === true) callback(null, addresses);
        else callback(null, first?.address ?? '', first?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
}

function notPublic(host: string): DestinationRefused {
  return new DestinationRefused(`${host} has no public address; list it under redirects of the upstream to allow it`);
}
