import { crc32 } from 'node:zlib';

/**
 * The form of a spool's segment: records one behind the other, each `length` (uint32, big-endian), `crc32` of the
 * payload (uint32) and the payload. A record whose length or checksum does not hold was not acknowledged (a torn
 * tail) or has been damaged since.
 */
export const HEADER_BYTES = 8;
/** A length above this is not a length. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

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
 * Reads a whole segment. A record with a wrong checksum is passed over and the next one read; where the length makes
 * no sense the rest cannot be read and counts as damaged.
 */
export function decodeSegment(segment: Buffer): Decoded {
  const payloads: Buffer[] = [];
  const damaged: Damage[] = [];
  let at = 0;
  while (at < segment.length) {
    const length = segment.length - at >= HEADER_BYTES ? segment.readUInt32BE(at) : Infinity;
    const next = at + HEADER_BYTES + length;
    if (length === 0 || length > MAX_PAYLOAD_BYTES || next > segment.length) {
      damaged.push({ from: at, to: segment.length });
      break;
    }
    const payload = segment.subarray(at + HEADER_BYTES, next);
    if (crc32(payload) === segment.readUInt32BE(at + 4)) payloads.push(payload);
    else damaged.push({ from: at, to: next });
    at = next;
  }
  return { payloads, damaged };
}
