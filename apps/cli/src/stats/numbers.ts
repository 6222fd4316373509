import { grouped } from '../history/progress';

type Scale = readonly (readonly [size: number, name: string])[];

const BYTES: Scale = [[1e15, 'PB'], [1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'kB'], [1, 'B']]; // prettier-ignore
const MS: Scale = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's'], [1, 'ms']]; // prettier-ignore

/** 1234567 → 1,234,567; in bytes 1.2 MB, in milliseconds 20.6 min. */
export function quantity(value: number, unit?: string | null): string {
  const scale = unit === 'bytes' ? BYTES : unit === 'ms' ? MS : undefined;
  const step = scale?.find(([size]) => Math.abs(value) >= size) ?? scale?.at(-1);
  if (!step) return grouped(value);
  const [size, name] = step;
  return `${grouped(Math.round((value / size) * 10) / 10)} ${name}`;
}

/** A change of 0.234 → +23.4 %; null, from nothing, → new. */
export function change(by: number | null): string {
  if (by === null) return 'new';
  const percent = Math.round(by * 1000) / 10;
  return `${percent > 0 ? '+' : percent < 0 ? '−' : '±'}${grouped(Math.abs(percent))} %`;
}

/** A number against the one before. */
export function changeFrom(previous: number, value: number): string {
  return previous === 0 && value === 0 ? '' : change(previous === 0 ? null : value / previous - 1);
}

/** 148 of 1234 → 12 %; what is there is never 0 %. */
export function share(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (part / whole) * 100;
  return percent > 0 && percent < 1 ? '< 1 %' : `${Math.round(percent)} %`;
}
