import { crc32 } from 'node:zlib';

/**
 * The form of a spool's segment: records one behind the other, each `length` (uint32, big-endian), `crc32` of the
 * payload (uint32) and the payload. What is no such record was not acknowledged (a torn tail) or has been damaged since.
 */
export const HEADER_BYTES = 8;
/** A length above this is not a length, and none is 0. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;

export function encodeRecord(payload: Buffer): Buffer {
  const record = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  record.writeUInt32BE(payload.length, 0);
  record.writeUInt32BE(crc32(payload), 4);
  payload.copy(record, HEADER_BYTES);
  return record;
}

/** A range of bytes that holds no valid record. */
export interface Damage {
  from: number;
  to: number;
}

export interface Decoded {
  payloads: Buffer[];
  damaged: Damage[];
}

/**
 * Reads a whole segment. Behind what is damaged it goes on with the next valid record, wherever that begins. An event
 * cannot pose as one: the length of a record begins with a zero byte, and JSON text has none.
 */
export function decodeSegment(segment: Buffer): Decoded {
  const payloads: Buffer[] = [];
  const damaged: Damage[] = [];
  let good = 0; // where the last valid record ended
  for (let at = 0; at < segment.length;) {
    const payload = payloadAt(segment, at);
    if (!payload) {
      at += 1;
      continue;
    }
    if (at > good) damaged.push({ from: good, to: at });
    payloads.push(payload);
    at += HEADER_BYTES + payload.length;
    good = at;
  }
  if (good < segment.length) damaged.push({ from: good, to: segment.length });
  return { payloads, damaged };
}

function payloadAt(segment: Buffer, at: number): Buffer | undefined {
  if (segment[at] !== 0 || segment.length - at < HEADER_BYTES) return undefined;
  const length = segment.readUInt32BE(at);
  const from = at + HEADER_BYTES;
  if (length === 0 || length > MAX_PAYLOAD_BYTES || from + length > segment.length) return undefined;
  const payload = segment.subarray(from, from + length);
  return crc32(payload) === segment.readUInt32BE(at + 4) ? payload : undefined;
}
