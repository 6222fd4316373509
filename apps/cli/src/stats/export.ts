import { print, write, type Io } from '../io';
import type { Parameters, StatsApi } from './api';
import { openPages, withLimit, type PagedAnswer } from './pages';

/**
 * What of text could steer a terminal, or hide from its reader: never part of a number, a quote or a separator. JSON
 * says it as `\uXXXX` and stays the same.
 */
const STEERING = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export const safeJson = (value: unknown): string =>
  JSON.stringify(value).replace(STEERING, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The whole answer as one JSON object on one line, written while its rows come. */
export async function writeJson(io: Io, { head, rows, more }: PagedAnswer): Promise<void> {
  await write(io.stdout, `${safeJson(head).slice(0, -1)},"rows":[`);
  let separator = '';
  for await (const page of rows) {
    if (page.length > 0) await write(io.stdout, separator + page.map(safeJson).join());
    if (page.length > 0) separator = ',';
  }
  await print(io.stdout, `],"more":${more()}}`);
}

/** Media types of rows alone, a row a line, and whether each page begins with a line of names. */
const FORMATS = {
  csv: { mediaType: 'text/csv', header: true },
  ndjson: { mediaType: 'application/x-ndjson', header: false },
} as const;
export type Format = keyof typeof FORMATS;

/** Passes the rows on as the API writes them, page after page. @returns whether there may be more than were wanted */
export async function writeRows(
  io: Io,
  api: StatsApi,
  format: Format,
  parameters: Parameters,
  limit: number,
): Promise<boolean> {
  const { mediaType, header } = FORMATS[format];
  const bodies = openPages(api, withLimit(parameters, limit), mediaType, limit);
  for (let first = true; ; first = false) {
    const next = await bodies.next();
    if (next.done) return next.value;
    await writeBody(io, header && !first ? withoutFirstLine(next.value) : next.value);
  }
}

async function writeBody(io: Io, body: AsyncIterable<Uint8Array>): Promise<void> {
  const terminal = io.stdout.isTTY === true;
  const decoder = new TextDecoder();
  for await (const piece of body) {
    await write(io.stdout, terminal ? harmless(decoder.decode(piece, { stream: true })) : piece);
  }
}

/** On a terminal nothing of it moves the cursor; in a pipe not a byte is changed. */
const harmless = (text: string) => text.replace(STEERING, '\ufffd').replace(/[\u0000-\u0009\u000b\u000c\u000e-\u001f]/g, '\ufffd'); // prettier-ignore

async function* withoutFirstLine(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let within = true;
  for await (const piece of body) {
    const end = within ? piece.indexOf(0x0a) : -1;
    if (within && end < 0) continue;
    within = false;
    yield piece.subarray(end + 1);
  }
}
