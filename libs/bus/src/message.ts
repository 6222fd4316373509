import type { Options } from 'amqplib';

/**
 * The AMQP properties of an event. Basic properties only: headers are the slow path of every Node client (reference
 * reliability C.1). What is no property of AMQP is left out: the event travels all the same, and a worker judges it.
 */
export function messageOptions({ id, type, time }: { id?: unknown; type?: unknown; time?: unknown }): Options.Publish {
  const timestamp = Math.floor(Date.parse(String(time)) / 1000);
  return {
    persistent: true,
    contentType: 'application/cloudevents+json',
    ...(timestamp >= 0 ? { timestamp } : {}),
    ...(isShortString(id) ? { messageId: id } : {}),
    ...(isShortString(type) ? { type } : {}),
  };
}

/** {@link messageOptions} of an encoded event, whatever the bytes are. */
export function messageOptionsOf(body: Buffer): Options.Publish {
  try {
    return messageOptions((JSON.parse(body.toString()) as Record<string, unknown> | null) ?? {});
  } catch {
    return messageOptions({});
  }
}

/** A short string of AMQP 0-9-1 holds 255 bytes. */
function isShortString(text: unknown): text is string {
  return typeof text === 'string' && (text.length <= 85 || Buffer.byteLength(text) <= 255);
}
