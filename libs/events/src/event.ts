import { v7 as uuidv7 } from 'uuid';

/**
 * One event: a CloudEvents 1.0 envelope in structured JSON, as it travels on the bus and rests in the stores.
 *
 * `time` is RFC 3339 in UTC with milliseconds (`2026-11-23T06:54:00.000Z`): the event's own time, never that of
 * whoever counts it. (`source`, `id`) is the event's identity, see {@link identityOf}.
 *
 * Source of the shape: CloudEvents 1.0.2, "Required Attributes" and "Optional Attributes".
 */
export interface WeirEvent {
  specversion: '1.0';
  /** Unique within `source`; a UUIDv7 when Weir makes it. */
  id: string;
  /** Who says so: a URI reference such as `weir/gateway` or `/ingest/billing`. */
  source: string;
  /** `io.weir.<kind>` for the types of the catalogue; any other type is welcome. */
  type: string;
  time: string;
  subject?: string;
  datacontenttype?: 'application/json';
  dataschema?: string;
  data: Record<string, unknown>;
  /** CloudEvents extension attributes. */
  [extension: string]: unknown;
}

/** Where a new event comes from; `id` and `time` are made when absent. */
export interface Origin {
  source: string;
  id?: string;
  time?: Date;
  subject?: string;
}

/** A new identifier: UUIDv7, so that identifiers made later sort later (RFC 9562, section 5.7). */
export function newId(): string {
  return uuidv7();
}

/** Makes the envelope around `data`. It does not validate: {@link checkEvent} does, at the edge. */
export function createEvent(type: string, data: object, from: Origin): WeirEvent {
  const { source, subject, id = newId() } = from;
  const time = (from.time ?? new Date()).toISOString();
  const common = { datacontenttype: 'application/json', data: data as Record<string, unknown> } as const;
  if (subject === undefined) return { specversion: '1.0', id, source, type, time, ...common };
  return { specversion: '1.0', id, source, type, time, subject, ...common };
}

/** The body of the AMQP message or HTTP request that carries the event: `application/cloudevents+json`, UTF-8. */
export function encodeEvent(event: WeirEvent): Buffer {
  return Buffer.from(JSON.stringify(event));
}

/** The UTC day on which the event happened, `YYYY-MM-DD`, whatever the time zone of this process. */
export function utcDay(event: Pick<WeirEvent, 'time'>): string {
  return event.time.slice(0, 10);
}
