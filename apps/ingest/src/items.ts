import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { Problem } from '@weir/events';

/** One event of a request, as it was sent: read, but not yet looked at. */
export type Item = Parsed & {
  /** Where it stood in the body, 1 being the first line; for newline-delimited JSON only. */
  line?: number;
};

type Parsed = { value: unknown } | { problems: Problem[] };

/** What a request holds: one event, or several of which each is answered for itself. */
export interface Sent {
  kind: 'one' | 'many';
  items: Item[];
}

/** The body as a whole cannot be taken. */
export class BodyError extends Error {
  constructor(
    readonly status: 400 | 413 | 415,
    message: string,
  ) {
    super(message);
  }
}

type Reader = (body: Buffer, headers: IncomingHttpHeaders, maxEvents: number) => Sent;

/** The media types that POST /events takes (CloudEvents 1.0.2: JSON format, batch format, HTTP binding). */
const READERS: Readonly<Record<string, Reader>> = {
  'application/cloudevents+json': readOne,
  'application/cloudevents-batch+json': readBatch,
  'application/x-ndjson': readLines,
  'application/json': readJson,
};

/** For the `Accept-Post` header and for error messages. */
export const MEDIA_TYPES = Object.keys(READERS);

/** The reader for a `Content-Type`; throws {@link BodyError} 415 for one that is not taken. */
export function readerFor(contentType: string | undefined): Reader {
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !/^"?(utf-?8|us-ascii)"?$/.test(charset)) {
    throw new BodyError(415, `charset ${charset.slice(0, 40)} is not taken: send UTF-8`);
  }
  const reader = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (reader) return reader;
  const found = type === '' ? 'There is no Content-Type' : `Content-Type ${type.slice(0, 100)} is not taken`;
  throw new BodyError(415, `${found}: send ${MEDIA_TYPES.join(', ')}`);
}

function readOne(body: Buffer): Sent {
  const item = parse(body);
  if ('value' in item && Array.isArray(item.value)) {
    throw new BodyError(400, 'The body is an array: send several events as application/cloudevents-batch+json');
  }
  return { kind: 'one', items: [item] };
}

function readBatch(body: Buffer, _headers: IncomingHttpHeaders, maxEvents: number): Sent {
  const item = parse(body);
  if ('value' in item && !Array.isArray(item.value)) {
    throw new BodyError(400, 'The body is not an array: send one event as application/cloudevents+json');
  }
  return 'value' in item ? many(item.value as unknown[], maxEvents) : { kind: 'one', items: [item] };
}

function readJson(body: Buffer, headers: IncomingHttpHeaders, maxEvents: number): Sent {
  if (headers['ce-specversion'] !== undefined) return { kind: 'one', items: [binaryMode(body, headers)] };
  const item = parse(body);
  return 'value' in item && Array.isArray(item.value) ? many(item.value, maxEvents) : { kind: 'one', items: [item] };
}

function many(values: unknown[], maxEvents: number): Sent {
  if (values.length === 0) throw new BodyError(400, 'The array is empty: there is no event in it');
  if (values.length > maxEvents) throw tooMany(maxEvents, `has ${values.length}`);
  return { kind: 'many', items: values.map((value) => ({ value })) };
}

/** Newline-delimited JSON: blank lines are skipped, and a broken line is that line's trouble alone. */
function readLines(body: Buffer, _headers: IncomingHttpHeaders, maxEvents: number): Sent {
  const items: Item[] = [];
  for (let start = 0, number = 1; start < body.length; number += 1) {
    const newline = body.indexOf(0x0a, start);
    const end = newline === -1 ? body.length : newline;
    const line = body.subarray(start, end);
    start = end + 1;
    if (line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)) continue;
    if (items.length === maxEvents) throw tooMany(maxEvents, 'has more');
    items.push({ ...parse(line), line: number });
  }
  if (items.length === 0) throw new BodyError(400, 'The body is empty: there is no event in it');
  return { kind: 'many', items };
}

/** CloudEvents' HTTP binding, binary mode: attributes in `ce-` headers, the body is `data`. */
function binaryMode(body: Buffer, headers: IncomingHttpHeaders): Parsed {
  const data: Parsed = body.length === 0 ? { value: {} } : parse(body);
  if ('problems' in data) return data;
  const attributes = Object.entries(headers)
    .filter(([name, value]) => /^ce-[a-z0-9]+$/.test(name) && name !== 'ce-data' && typeof value === 'string')
    .map(([name, value]) => [name.slice('ce-'.length), percentDecoded(value as string)]);
  return { value: { ...Object.fromEntries(attributes), datacontenttype: 'application/json', data: data.value } };
}

const BYTE_ORDER_MARK = Buffer.from('\ufeff');

function parse(bytes: Buffer): Parsed {
  if (!isUtf8(bytes)) return { problems: [{ field: '', message: 'is not UTF-8' }] };
  const from = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  try {
    return { value: JSON.parse(bytes.toString('utf8', from)) };
  } catch (error) {
    return { problems: [{ field: '', message: `is not JSON: ${(error as Error).message.slice(0, 200)}` }] };
  }
}

function tooMany(maxEvents: number, found: string): BodyError {
  return new BodyError(413, `The request ${found}; at most ${maxEvents} events are allowed in one`);
}

function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
