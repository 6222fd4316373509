import type { Readable, Writable } from 'node:stream';
import Table from 'cli-table3';
import pc from 'picocolors';

/** The world as a command sees it; tests give another one. */
export interface Io {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  stdin: Readable;
  stdout: Output;
  stderr: Output;
  /** Aborts on Ctrl-C. */
  signal: AbortSignal;
}

export type Output = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** What every command exits with; documented in `weir --help`. */
export const exitCodes = { ok: 0, found: 1, usage: 2, unavailable: 69, configuration: 78 } as const;

/** Something a person can do something about: printed as one line. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = exitCodes.found,
  ) {
    super(message);
  }
}

/** People read tables and colours, programs read JSON: who reads is told by the terminal, or asked for with --json. */
export function forPeople(io: Io, options: { json?: boolean }): boolean {
  return io.stdout.isTTY === true && options.json !== true;
}

/** Colours where a terminal shows them and nobody has asked for none (no-color.org). */
export function colours(io: Io): ReturnType<typeof pc.createColors> {
  return pc.createColors(io.stdout.isTTY === true && !io.env['NO_COLOR'] && io.env['TERM'] !== 'dumb');
}

/** Writes a line; resolves when the reader can take more, so that a slow one holds us up and not our memory. */
export const print = (out: Output, text: string): Promise<void> => write(out, `${text}\n`);

/** {@link print} of text as it is. */
export async function write(out: Output, piece: string | Uint8Array): Promise<void> {
  if (out.write(piece) || out.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = () => void (out.off('drain', done).off('close', done), resolve());
    out.on('drain', done).on('close', done);
  });
}

/**
 * Text of others on one line of a terminal: control characters, which could move the cursor, retitle the window or
 * hide what follows (so could the bidirectional ones), are shown as `�`, and what is too long is cut.
 */
export function clean(text: unknown, max = 200): string {
  const line = String(text ?? '').replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    '\ufffd',
  );
  return line.length > max ? `${line.slice(0, max - 1)}…` : line;
}

/** A table without lines between its rows. `lastWidth` wraps the last column there; numbers stand on the right. */
export function table(head: string[], rows: readonly (string | number)[][], lastWidth?: number): string {
  const made = new Table({
    head,
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] },
    colAligns: head.map((_, column) => (rows.some((row) => typeof row[column] === 'number') ? 'right' : 'left')),
    ...(lastWidth === undefined ? {} : { colWidths: [...head.slice(1).map(() => null), lastWidth], wordWrap: true }),
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}
