import { z } from 'zod';
import { kindOf, type Kind } from './catalogue';
import type { WeirEvent } from './event';
import { judgeOf, type Judge } from './judge';
import { memo } from './memo';

/** One thing that is wrong: which field, and what is wrong with it and allowed there, for a person to read. */
export interface Problem {
  /** Dotted path, `data.user.email`; empty when the whole is meant. */
  field: string;
  message: string;
}

export type Checked = { ok: true; event: WeirEvent } | { ok: false; problems: Problem[] };

/** What an event may measure at most; what is larger is refused at the edge and parked by a worker. */
export const limits = {
  /** Encoded size of one event, bytes. */
  eventBytes: 64 * 1024,
  /** Nesting of `data`. */
  depth: 32,
  /** How far ahead of the edge's clock an event's time may lie, milliseconds. */
  aheadMs: 24 * 3600 * 1000,
  /** The years that every store can hold (InfluxDB's nanoseconds end in 2262). */
  years: { first: 2000, last: 2199 },
} as const;

/** Lone surrogates all encode to the same three bytes: two identifiers must not become one. */
const plainText = /^[^\u0000-\u001f\u007f\p{Surrogate}]*$/u;
const attribute = (max: number) =>
  z.string().min(1).max(max).regex(plainText, 'must not contain control characters or lone surrogates');

/** CloudEvents 1.0.2, "Context Attributes". Only judges: extensions and further fields stay as they are. */
const envelope = z.object({
  specversion: z.literal('1.0'),
  id: attribute(256),
  source: attribute(1024).regex(/^\S*$/, 'must be a URI reference, without white space'),
  type: attribute(255).regex(/^\S*$/, 'must not contain white space'),
  time: z.string().max(64),
  subject: attribute(1024).optional(),
  datacontenttype: z
    .string()
    .regex(/^application\/([a-z0-9.-]+\+)?json\s*(;.*)?$/i, 'must be a JSON type')
    .optional(),
  dataschema: attribute(1024).optional(),
  data: z.object({}).optional(),
  data_base64: z.undefined('binary data is not taken: send JSON in data').optional(),
});

const isEnvelope = judgeOf(envelope);
const judges = new Map<Kind, Judge>();

/** Made when the first of its kind comes. */
function judgeOfKind(kind: Kind): Judge {
  let judge = judges.get(kind);
  if (!judge) judges.set(kind, (judge = judgeOf(kind.schema)));
  return judge;
}

/**
 * Validates one event and brings it into canonical form (time in UTC milliseconds, `data` present).
 *
 * Used twice: at the edge, with `now`, where a time more than 24 h ahead is refused too; and in the worker, where
 * a forged or old message must not stop a queue. All problems are reported, not just the first.
 */
export function checkEvent(value: unknown, options: { now?: Date } = {}): Checked {
  if (!isEnvelope(value)) {
    const parsed = envelope.safeParse(value);
    if (!parsed.success) return { ok: false, problems: problemsOf(parsed.error, []) };
  }
  const found = value as WeirEvent;
  const problems: Problem[] = [];

  const time = canonicalTime(found.time, options.now);
  if (typeof time !== 'string') problems.push(time);
  const deep = Object.keys(found).find((field) => depthExceeds(found[field], limits.depth));
  if (deep !== undefined) {
    return { ok: false, problems: [{ field: deep, message: `is nested deeper than ${limits.depth} levels` }] };
  }
  const data = found.data ?? {};
  const kind = kindOf(found.type);
  if (kind && !judgeOfKind(kind)(data)) {
    const shape = kind.schema.safeParse(data);
    if (!shape.success) problems.push(...problemsOf(shape.error, ['data']));
  }

  if (problems.length > 0 || typeof time !== 'string') return { ok: false, problems };
  return { ok: true, event: time === found.time && found.data ? found : { ...found, time, data } };
}

/** Reads the body of a message: JSON in UTF-8 of at most {@link limits.eventBytes}, then {@link checkEvent}. */
export function decodeEvent(body: Buffer, options: { now?: Date } = {}): Checked {
  if (body.length > limits.eventBytes) {
    return {
      ok: false,
      problems: [{ field: '', message: `is ${body.length} bytes; at most ${limits.eventBytes} are allowed` }],
    };
  }
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    return { ok: false, problems: [{ field: '', message: `is not JSON: ${(error as Error).message}` }] };
  }
  return checkEvent(value, options);
}

/** The form that events have inside Weir, with every part in its range but for the day of the month. */
const canonical = /^\d{4}-(0[1-9]|1[0-2])-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

function canonicalTime(text: string, now: Date | undefined): string | Problem {
  const time = canonical.test(text) ? text : normalized(text);
  if (time === undefined || !isCalendarDay(text.slice(0, 10))) {
    return { field: 'time', message: 'must be RFC 3339 such as 2026-11-23T06:54:00.000Z' };
  }
  const year = Number(time.slice(0, 4));
  const { first, last } = limits.years;
  if (year < first || year > last) return { field: 'time', message: `must lie in the years ${first} to ${last}` };
  if (now && Date.parse(time) > now.getTime() + limits.aheadMs) {
    return { field: 'time', message: 'lies more than 24 hours ahead; check the clock of the publisher' };
  }
  return time;
}

function normalized(text: string): string | undefined {
  const ms = rfc3339.test(text) ? Date.parse(text.toUpperCase()) : NaN;
  const time = Number.isNaN(ms) ? '' : new Date(ms).toISOString();
  return canonical.test(time) ? time : undefined;
}

/** Date.parse rolls 30 February over to March; an event on a day that never was is a mistake, not a March event. */
const isCalendarDay = memo((day: string): boolean => {
  const [year = 0, month = 0, date = 0] = day.split('-').map(Number);
  return date >= 1 && date <= new Date(Date.UTC(year, month, 0)).getUTCDate();
});

function depthExceeds(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  // Without a list of the values, which would be garbage of every event.
  for (const field in value) if (depthExceeds((value as Record<string, unknown>)[field], levels - 1)) return true;
  return false;
}

function problemsOf(error: z.ZodError, prefix: string[]): Problem[] {
  return error.issues.slice(0, 20).map((issue) => {
    const field = [...prefix, ...issue.path.map(String)].join('.');
    return { field, message: issue.message };
  });
}
