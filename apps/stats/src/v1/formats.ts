import { stringify } from 'csv-stringify/sync';
import type { Request } from 'express';
import { either, type Format } from './parameters';

/** A row as it is told: its columns by name. */
export type Line = Readonly<Record<string, string | number | null>>;

/** An answer to be written in any format. */
export interface Sheet {
  /** What is said beside the rows, in JSON before them. */
  head: object;
  columns: readonly string[];
  /** Rows as they come; at their end, whether there are more on another page. */
  lines: AsyncGenerator<readonly Line[], boolean>;
  /** What is said in JSON behind the rows. */
  tail?(more: boolean): object;
}

export const MEDIA_TYPES = {
  json: 'application/json',
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
} as const satisfies Record<Format, string>;

/** Other names of NDJSON. */
const ALIASES: Readonly<Record<string, Format>> = { 'application/ndjson': 'ndjson', 'application/jsonl': 'ndjson' };

/** Nothing of what is accepted can be had. */
export class NotAcceptableError extends Error {}

/**
 * The format that a request wants: by its parameter, else by its Accept header (RFC 9110, 12.5.1), JSON when it does not
 * mind.
 *
 * @throws NotAcceptableError
 */
export function formatFor(request: Request, wanted: Format | undefined, formats: readonly Format[]): Format {
  if (wanted !== undefined) return wanted;
  const aliases = Object.keys(ALIASES).filter((type) => formats.includes(ALIASES[type] ?? 'json'));
  const accepted = request.accepts([...formats.map((format) => MEDIA_TYPES[format]), ...aliases]);
  const format = formats.find((each) => MEDIA_TYPES[each] === accepted) ?? ALIASES[accepted || ''];
  if (format !== undefined) return format;
  throw new NotAcceptableError(`There is ${either(formats.map((each) => MEDIA_TYPES[each]))}.`);
}

/** The answer as text, piece by piece as its rows come; at the end, whether there is another page. */
export function render(format: Format, sheet: Sheet): AsyncGenerator<string, boolean> {
  if (format === 'json') return renderJson(sheet);
  if (format === 'csv') return renderCsv(sheet);
  return renderNdjson(sheet);
}

async function* renderJson({ head, lines, tail }: Sheet): AsyncGenerator<string, boolean> {
  const start = JSON.stringify(head).slice(0, -1);
  let text = `${start === '{' ? start : `${start},`}"rows":[`;
  let first = true;
  const more = yield* mapped(lines, (page) => {
    const rows = page.map((line) => JSON.stringify(line)).join();
    const piece = `${text}${first ? '' : ','}${rows}`;
    first = false;
    text = '';
    return piece;
  });
  const end = JSON.stringify(tail?.(more) ?? {}).slice(1, -1);
  yield `${text}]${end === '' ? '' : `,${end}`}}`;
  return more;
}

/**
 * RFC 4180. Names come from strangers, and spreadsheets take what begins with `=`, `+`, `-` or `@` for a formula: such a
 * cell gets an apostrophe in front.
 */
async function* renderCsv({ columns, lines }: Sheet): AsyncGenerator<string, boolean> {
  const csv = (rows: readonly (readonly unknown[])[]) => stringify([...rows] as unknown[][], { record_delimiter: '\r\n', quoted_match: /[\r\n]/, escape_formulas: true }); // prettier-ignore
  yield csv([columns]);
  return yield* mapped(lines, (page) => csv(page.map((line) => columns.map((column) => line[column]))));
}

async function* renderNdjson({ lines }: Sheet): AsyncGenerator<string, boolean> {
  return yield* mapped(lines, (page) => page.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** Each page that has something, made into another thing. */
export async function* mapped<A, B>(
  pages: AsyncGenerator<readonly A[], boolean>,
  make: (page: readonly A[]) => B,
): AsyncGenerator<B, boolean> {
  try {
    for (;;) {
      const next = await pages.next();
      if (next.done) return next.value;
      if (next.value.length > 0) yield make(next.value);
    }
  } finally {
    await pages.return(false);
  }
}
