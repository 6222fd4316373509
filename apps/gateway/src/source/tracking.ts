import type { IncomingHttpHeaders } from 'node:http';

/** What is done with the pull of a client that asks not to be tracked. */
export const doNotTrackModes = ['anonymize', 'omit', 'ignore'] as const;
export type DoNotTrack = (typeof doNotTrackModes)[number];

/** How much of a request may be recorded: all of it, the pull but not its source, or nothing. */
export type Recorded = 'all' | 'no-source' | 'nothing';

/**
 * `DNT: 1` (W3C Tracking Preference Expression, where extensions may follow the digit) and `Sec-GPC: 1` (Global Privacy
 * Control) say that a client does not want to be tracked.
 */
export function recordedOf(headers: IncomingHttpHeaders, mode: DoNotTrack): Recorded {
  if (mode === 'ignore' || !(saysOne(headers['dnt']) || saysOne(headers['sec-gpc']))) return 'all';
  return mode === 'omit' ? 'nothing' : 'no-source';
}

function saysOne(value: string | string[] | undefined): boolean {
  return String(value ?? '').startsWith('1');
}
