import { crc32 } from 'node:zlib';

/**
 * The form of a spool's segment: records one behind the other, each `length` (uint32, big-endian), `crc32` of the
 * payload (uint32) and the payload. What is no such record was not acknowledged (a torn tail) or has been damaged since.
 */
export const HEADER_BYTES = 8;
/** A length above this is not a length, and none is 0. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** The records of so many payloads, one behind the other. */
export function encodeRecords(payloads: readonly Buffer[]): Buffer {
  const block = Buffer.allocUnsafe(payloads.reduce((bytes, { length }) => bytes + HEADER_BYTES + length, 0));
  let at = 0;
  for (const payload of payloads) {
    at = block.writeUInt32BE(payload.length, at);
    at = block.writeUInt32BE(crc32(payload), at);
    at += payload.copy(block, at);
  }
  return block;
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
 * How many bytes may be checked in search of the next valid record: rubbish looks like the beginning of one at every
 * 4096th byte, and a search that takes seconds stops everything else. Beyond the first bound a record is taken for one
 * only if another seems to follow it, beyond the second the rest is given up.
 */
const SEARCH_BYTES = { freely: 64 * 1024 ** 2, atAll: 256 * 1024 ** 2 };

/**
 * Reads a whole segment. Behind what is damaged it goes on with the next valid record, wherever that begins. An event
 * cannot pose as one: the length of a record begins with a zero byte, and JSON text has none.
 */
export function decodeSegment(segment: Buffer): Decoded {
  const payloads: Buffer[] = [];
  const damaged: Damage[] = [];
  let good = 0; // where the last valid record ended
  let searched = 0;
  for (let at = 0; at < segment.length && searched < SEARCH_BYTES.atAll;) {
    const length = lengthAt(segment, at);
    const worth = length > 0 && (at === good || searched < SEARCH_BYTES.freely || isFollowed(segment, at, length));
    if (worth && at > good) searched += length;
    if (!worth || !isValid(segment, at, length)) {
      at += 1;
      continue;
    }
    if (at > good) damaged.push({ from: good, to: at });
    payloads.push(segment.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
    at += HEADER_BYTES + length;
    good = at;
  }
  if (good < segment.length) damaged.push({ from: good, to: segment.length });
  return { payloads, damaged };
}

/** The length of the payload of a record that may begin here; 0 when none can. */
function lengthAt(segment: Buffer, at: number): number {
  if (segment[at] !== 0 || segment.length - at < HEADER_BYTES) return 0;
  const length = segment.readUInt32BE(at);
  return length <= MAX_PAYLOAD_BYTES && at + HEADER_BYTES + length <= segment.length ? length : 0;
}

function isValid(segment: Buffer, at: number, length: number): boolean {
  const from = at + HEADER_BYTES;
  return crc32(segment.subarray(from, from + length)) === segment.readUInt32BE(at + 4);
}

function isFollowed(segment: Buffer, at: number, length: number): boolean {
  const next = at + HEADER_BYTES + length;
  return next === segment.length || lengthAt(segment, next) > 0;
}
