/**
 * MongoDB's wire protocol, as much of it as the official driver uses: OP_MSG both ways and, for a connection's first
 * hello, OP_QUERY answered by OP_REPLY.
 * https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
import type { Readable } from 'node:stream';
import { BSONError, deserialize, Long, serialize } from 'bson';
import { CommandError } from './errors';

export type Document = Record<string, unknown>;

/** What the server tells drivers in `hello`, and keeps to: bytes of a message, bytes of a document, writes of a command. */
export const limits = { messageBytes: 48_000_000, documentBytes: 16 * 1024 * 1024, writeBatch: 100_000 } as const;

const opcodes = { reply: 1, query: 2004, compressed: 2012, message: 2013 } as const;
const headerBytes = 16;

/** A command as it came. `sequences` are OP_MSG's document sequences, each document as its own BSON bytes. */
export interface Request {
  readonly id: number;
  readonly form: 'message' | 'query';
  readonly body: Document;
  readonly sequences: ReadonlyMap<string, Buffer[]>;
  /** False when the client wants no answer (`moreToCome`, used for unacknowledged writes). */
  readonly wantsReply: boolean;
}

/** An answer. `batch` holds a cursor's documents as BSON bytes, so that a document goes out byte for byte as it came in. */
export interface Reply {
  readonly fields: Document;
  readonly batch?: {
    name: 'firstBatch' | 'nextBatch';
    documents: readonly Buffer[];
    cursorId: number;
    namespace: string;
  };
}

/** Cuts a byte stream into whole messages. Throws on a length outside the limits: there is no way back into step. */
export async function* messagesOf(stream: Readable): AsyncGenerator<Buffer> {
  let chunks: Buffer[] = [];
  let have = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    have += chunk.length;
    for (;;) {
      if (have < headerBytes) break;
      if (chunks[0]!.length < headerBytes) chunks = [Buffer.concat(chunks)];
      const need = chunks[0]!.readInt32LE(0);
      if (need < headerBytes || need > limits.messageBytes) {
        throw new CommandError(17, `a message of ${need} bytes; allowed are ${headerBytes} to ${limits.messageBytes}`);
      }
      if (have < need) break;
      const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      yield all.subarray(0, need);
      chunks = [all.subarray(need)];
      have -= need;
    }
  }
}

/** Reads one whole message. Throws CommandError or BSONError when it is not one that the stand-in understands. */
export function readRequest(message: Buffer): Request {
  const id = message.readInt32LE(4);
  const opcode = message.readInt32LE(12);
  if (opcode === opcodes.message) return readMessage(id, message);
  if (opcode === opcodes.query) return readQuery(id, message);
  const what =
    opcode === opcodes.compressed ? 'OP_COMPRESSED (this stand-in for MongoDB offers no compression)' : opcode;
  throw new CommandError(17, `unexpected opcode ${what}`);
}

function readMessage(id: number, message: Buffer): Request {
  const flags = message.readUInt32LE(headerBytes);
  const checksum = (flags & 1) !== 0;
  const moreToCome = (flags & 2) !== 0;
  const end = message.length - (checksum ? 4 : 0);
  const sequences = new Map<string, Buffer[]>();
  let body: Document | undefined;
  let at = headerBytes + 4;
  while (at < end) {
    const kind = message[at++];
    const size = sizeAt(message, at, end);
    if (kind === 0) {
      body = deserialize(message.subarray(at, at + size));
    } else if (kind === 1) {
      const nameEnd = message.indexOf(0, at + 4);
      if (nameEnd < 0 || nameEnd >= at + size) throw new BSONError('a document sequence without a name');
      sequences.set(message.toString('utf8', at + 4, nameEnd), documentsIn(message, nameEnd + 1, at + size));
    } else {
      throw new CommandError(17, `unknown section kind ${kind} in OP_MSG`);
    }
    at += size;
  }
  if (!body) throw new CommandError(17, 'OP_MSG without a body section');
  return { id, form: 'message', body, sequences, wantsReply: !moreToCome };
}

/** Only commands (`<database>.$cmd`) ever come this way from today's drivers, and of them only the first hello. */
function readQuery(id: number, message: Buffer): Request {
  const nameEnd = message.indexOf(0, headerBytes + 4);
  if (nameEnd < 0) throw new CommandError(17, 'OP_QUERY without a collection name');
  const [database = ''] = message.toString('utf8', headerBytes + 4, nameEnd).split('.$cmd');
  const at = nameEnd + 1 + 8;
  const body = deserialize(message.subarray(at, at + sizeAt(message, at, message.length)));
  return { id, form: 'query', body: { ...body, $db: database }, sequences: new Map(), wantsReply: true };
}

function documentsIn(message: Buffer, from: number, end: number): Buffer[] {
  const documents: Buffer[] = [];
  for (let at = from; at < end;) {
    const size = sizeAt(message, at, end);
    documents.push(message.subarray(at, at + size));
    at += size;
  }
  return documents;
}

function sizeAt(message: Buffer, at: number, end: number): number {
  if (at + 5 > end) throw new BSONError('a message that ends in the middle of a document');
  const size = message.readInt32LE(at);
  if (size < 5 || at + size > end) throw new BSONError(`a document of ${size} bytes where ${end - at} are left`);
  return size;
}

/** The bytes that answer a request. */
export function writeReply(request: Pick<Request, 'id' | 'form'>, reply: Reply): Buffer {
  const body = replyBody(reply);
  const query = request.form === 'query';
  // OP_REPLY: flags, cursor id, starting from, number returned. OP_MSG: flags, then one section of kind 0.
  const preamble = query ? Buffer.alloc(20) : Buffer.alloc(5);
  if (query) preamble.writeInt32LE(1, 16);
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(headerBytes + preamble.length + body.length, 0);
  header.writeInt32LE(request.id, 8);
  header.writeInt32LE(query ? opcodes.reply : opcodes.message, 12);
  return Buffer.concat([header, preamble, body]);
}

function replyBody({ fields, batch }: Reply): Buffer {
  if (!batch) return Buffer.from(serialize(fields));
  const items = batch.documents.flatMap((document, index) => [elementHead(0x03, String(index)), document]);
  const cursor = documentOf([
    elementHead(0x04, batch.name),
    documentOf(items),
    elementsOf(serialize({ id: Long.fromNumber(batch.cursorId), ns: batch.namespace })),
  ]);
  return documentOf([elementHead(0x03, 'cursor'), cursor, elementsOf(serialize(fields))]);
}

const elementHead = (type: number, name: string): Buffer =>
  Buffer.from(`${String.fromCharCode(type)}${name}\0`, 'latin1');
const elementsOf = (document: Uint8Array): Uint8Array => document.subarray(4, -1);

function documentOf(parts: readonly Uint8Array[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 5);
  const head = Buffer.alloc(4);
  head.writeInt32LE(size, 0);
  return Buffer.concat([head, ...parts, Buffer.alloc(1)], size);
}
