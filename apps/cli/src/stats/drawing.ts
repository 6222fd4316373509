const LEVELS = '▁▂▃▄▅▆▇█';
const EIGHTHS = ' ▏▎▍▌▋▊▉█';

/**
 * Numbers as one line, the largest as a full block. Only nothing is as low as `▁`, and what is not known (null) is `·`.
 * More numbers than there is room for are added up, neighbours with neighbours.
 */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const points = squeezed(values, width);
  const max = Math.max(...points.map((value) => value ?? 0));
  return points.map((value) => (value === null ? '·' : LEVELS[levelOf(value, max)])).join('');
}

function levelOf(value: number, max: number): number {
  if (value <= 0 || max <= 0) return 0;
  return 1 + Math.min(LEVELS.length - 2, Math.floor((value / max) * (LEVELS.length - 1) * 0.9999));
}

function squeezed(values: readonly (number | null)[], width: number): (number | null)[] {
  if (values.length <= width) return [...values];
  return Array.from({ length: width }, (_, at) => {
    const some = values.slice(Math.floor((at * values.length) / width), Math.floor(((at + 1) * values.length) / width));
    const known = some.filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
  });
}

/** A number as a bar, in eighths of a column; only nothing has none. */
export function bar(value: number, max: number, width: number): string {
  if (value <= 0 || max <= 0) return '';
  const eighths = Math.max(1, Math.round((Math.min(value, max) / max) * width * 8));
  return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8]}`.trimEnd();
}
