import busboy from 'busboy';
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalid, tooLarge, type Refusal } from './refusal';

/** What came with `POST /builds` as multipart/form-data. */
export interface Upload {
  /** The JSON part `build`, not yet read. */
  build: Buffer;
  /** The tar part `context`, on disk; whoever takes it removes it. */
  context?: StoredContext;
}

export interface StoredContext {
  path: string;
  sha256: string;
}

export interface UploadLimits {
  buildBytes: number;
  contextBytes: number;
}

const FRAMING_BYTES = 64 * 1024;

/**
 * Reads the form as it streams in: the context goes to a file of our own naming in `dir`, hashed on its way.
 *
 * @throws Refusal for a form that is malformed, has other parts or is too large; nothing is left in `dir` then.
 */
export async function receiveUpload(request: IncomingMessage, dir: string, limits: UploadLimits): Promise<Upload> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limits.contextBytes + limits.buildBytes + FRAMING_BYTES)
    throw tooLarge('context', `must be at most ${limits.contextBytes} bytes`);

  const path = join(dir, `${randomUUID()}.tar`);
  try {
    const [build, context] = await readParts(request, path, limits);
    if (!build) throw invalid('build', 'is missing: the JSON part that says what to build');
    return { build, ...(context && { context }) };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

type Parts = [build: Buffer | undefined, context: StoredContext | undefined];

function readParts(request: IncomingMessage, path: string, limits: UploadLimits): Promise<Parts> {
  const form = openForm(request, limits);
  let build: Promise<Buffer> | undefined;
  let context: Promise<StoredContext> | undefined;

  return new Promise<Parts>((resolve, reject) => {
    // The first failure ends the reading at once. Only the form is destroyed: the socket still has to carry an answer.
    const fail = (error: Error): void => {
      request.unpipe(form);
      request.off('close', cutOff);
      form.destroy();
      void Promise.allSettled([build, context]).then(() => reject(error));
    };
    const cutOff = (): void => {
      // A request closes when all of it has been read, too; whether the form was complete then, the form says.
      if (!request.complete) fail(invalid('body', 'ended before the form was complete'));
    };

    form.on('field', (name, value, { valueTruncated }) => {
      if (name !== 'build') fail(wrongPart(name));
      else if (build) fail(invalid('build', 'must be there once'));
      else if (valueTruncated) fail(tooLarge('build', `must be at most ${limits.buildBytes} bytes`));
      else build = Promise.resolve(Buffer.from(value));
    });
    form.on('file', (name, part) => {
      if (name === 'build' && !build) (build = collect(part, limits.buildBytes)).catch(fail);
      else if (name === 'context' && !context) (context = store(part, path, limits.contextBytes)).catch(fail);
      else {
        part.on('error', () => {}).resume();
        fail(name === 'build' || name === 'context' ? invalid(name, 'must be there once') : wrongPart(name));
      }
    });
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const)
      form.once(limit, () => fail(invalid('body', 'must have no parts but build and context, each once')));
    form.once('error', (error: Error) => fail(invalid('body', `is not a readable form: ${error.message}`)));
    form.once('close', () => {
      request.off('close', cutOff);
      Promise.all([build, context]).then(resolve, reject);
    });
    request.once('close', cutOff);
    request.pipe(form);
  });
}

function openForm(request: IncomingMessage, limits: UploadLimits): busboy.Busboy {
  try {
    return busboy({
      headers: request.headers,
      limits: { parts: 4, files: 2, fields: 2, fieldSize: limits.buildBytes, fieldNameSize: 100, headerPairs: 20 },
    });
  } catch (error) {
    throw invalid('content-type', `must be multipart/form-data with a boundary: ${(error as Error).message}`);
  }
}

function wrongPart(name: string | undefined): Refusal {
  if (name === 'context') return invalid('context', 'must be a file part: a tar archive with a filename');
  return invalid(name?.slice(0, 64) || 'body', 'is not a known part (known: build, context)');
}

async function collect(part: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of part as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge('build', `must be at most ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function store(part: Readable, path: string, limit: number): Promise<StoredContext> {
  const hash = createHash('sha256');
  let bytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > limit) done(tooLarge('context', `must be at most ${limit} bytes`));
      else done(null, chunk);
    },
  });
  await pipeline(part, count, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  return { path, sha256: hash.digest('hex') };
}
