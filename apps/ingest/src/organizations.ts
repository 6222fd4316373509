/** Whether the key may name this organization too; one that it has named within the hour it always may. */
export type OrganizationLimit = (key: string, organization: string, now: Date) => boolean;

const HOUR_MS = 3_600_000;

/**
 * At most `most` distinct organizations of one key in an hour of the clock (S32). An organization costs the stores some
 * keys, for ever: whoever can make names up could otherwise fill them from one key. An event is never changed for it:
 * what is beyond is refused, with the limit's name, and may come again in the next hour.
 */
export function createOrganizationLimit(most: number): OrganizationLimit {
  const named = new Map<string, { hour: number; organizations: Set<string> }>();
  return (key, organization, now) => {
    const hour = Math.floor(now.getTime() / HOUR_MS);
    let known = named.get(key);
    if (known?.hour !== hour) named.set(key, (known = { hour, organizations: new Set() }));
    if (known.organizations.has(organization)) return true;
    if (known.organizations.size >= most) return false;
    known.organizations.add(organization);
    return true;
  };
}

/** When the next hour begins, in seconds from now; for `Retry-After`. */
export function secondsToNextHour(now: Date): number {
  return Math.ceil((HOUR_MS - (now.getTime() % HOUR_MS)) / 1000);
}
