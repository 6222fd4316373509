import { architecturesOf, organizationOf, type WeirEvent } from '@weir/events';

/** The text in a field of `data`, or in one of a field of it; undefined where there is none. */
export function textOf(from: unknown, ...path: readonly string[]): string | undefined {
  let value = from;
  for (const field of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
    value = (value as Record<string, unknown>)[field];
  }
  return typeof value === 'string' ? value : undefined;
}

/** A number of `data` as a whole one; 0 for what is none, is below zero, or is more than a number can tell exactly. */
export function wholeOf({ data }: WeirEvent, field: string): number {
  const value = data[field];
  if (typeof value !== 'number' || !(value >= 0)) return 0;
  const whole = Math.round(value);
  return Number.isSafeInteger(whole) ? whole : 0;
}

/** The platforms that an event is about, `linux/arm64/v8`; in lower case, for they are names. */
export function platformsOf({ data }: WeirEvent): string | readonly string[] | undefined {
  const { platform, platforms } = data as { platform?: unknown; platforms?: unknown };
  if (Array.isArray(platforms)) return platforms.filter((each) => typeof each === 'string').map(canonical);
  return typeof platform === 'string' ? canonical(platform) : undefined;
}

const canonical = (platform: string): string => platform.trim().toLowerCase();

/** What pulls, builds, mirrors and scans are told apart by alike, as seed 000's keys are. */
export function imageDimensions(event: WeirEvent) {
  return {
    organization: organizationOf(event),
    repository: textOf(event.data, 'repository'),
    architecture: architecturesOf(event),
  };
}

export const IMAGE_DIMENSIONS = {
  organization: 'Organization of the user, as verified or by the domain of the e-mail address.',
  repository: 'Repository, as the client named it.',
  architecture: 'Architecture, by its canonical name: `amd64`, `arm64`.',
};
