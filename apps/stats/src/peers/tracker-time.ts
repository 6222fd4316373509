/**
 * The tracker's own grammar of times (reference usage-metrics 2.3): digits are Unix seconds; `now`, in small letters, may
 * be followed by steps such as `-1h`, in `ms`, `s`, `m` (minutes), `h` and `d`. No other unit, no rounding, no dates.
 *
 * @param now Unix time in milliseconds
 * @returns Unix time in seconds; undefined for anything else
 */
export function trackerTime(text: string, now: number): number | undefined {
  if (/^\d+$/.test(text)) return safe(Number(text));
  if (!/^now([+-]\d+(ms|s|m|h|d))*$/.test(text)) return undefined;
  let time = now;
  for (const [, steps, unit] of text.matchAll(/([+-]\d+)(ms|s|m|h|d)/g)) time += Number(steps) * MS_OF[unit as Unit];
  return safe(Math.floor(time / 1000));
}

const MS_OF = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
type Unit = keyof typeof MS_OF;

function safe(seconds: number): number | undefined {
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}
