import { UpstreamError, explain, type Answer } from './upstream';

/** A body that has been read to its end, or one that is too long for that: to be sent on as it comes. */
export type ReadAhead = { whole: Buffer } | { flow: AsyncIterable<Buffer> };

/** Reads a body before anything of it is sent on, unless it is longer than `maxBytes`. @throws UpstreamError */
export async function readAhead({ body }: Pick<Answer, 'body'>, maxBytes: number): Promise<ReadAhead> {
  const source = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const chunks: Buffer[] = [];
  for (let size = 0; size <= maxBytes;) {
    const { done, value } = await source.next().catch(brokenOff);
    if (done === true) return { whole: Buffer.concat(chunks) };
    chunks.push(value);
    size += value.length;
  }
  return { flow: chained(chunks, source) };
}

async function* chained(chunks: readonly Buffer[], source: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
    for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}

function brokenOff(error: unknown): never {
  const explained = explain(error);
  if (explained.reason !== 'unreachable') throw explained;
  throw new UpstreamError('unreachable', 'the upstream registry broke off its answer', { cause: error });
}
