import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Headers } from './headers';
import type { Answer } from './upstream';

/**
 * Sends an upstream's answer to the client as it arrives: no faster than the client reads, nothing kept but what `tap`
 * keeps. Resolves true when the client has been sent all of it, false when either side broke off.
 */
export async function relay(
  answer: Answer,
  response: ServerResponse,
  headers: Headers,
  tap?: (chunk: Buffer) => void,
): Promise<boolean> {
  if (response.destroyed) {
    answer.body.destroy();
    return false;
  }
  response.writeHead(answer.status, headers);
  try {
    if (tap === undefined) await pipeline(answer.body, response);
    else await pipeline(answer.body, tapped(tap), response);
    return true;
  } catch {
    // Too late for another status: the connection is closed, and the client sees that the answer is incomplete.
    response.destroy();
    return false;
  }
}

function tapped(tap: (chunk: Buffer) => void) {
  return async function* (source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      tap(chunk);
      yield chunk;
    }
  };
}

/** Keeps up to `maxBytes` of what flows past; beyond that it lets go of everything. */
export function createCollector(maxBytes: number): { take(chunk: Buffer): void; body(): Buffer | undefined } {
  let chunks: Buffer[] | undefined = [];
  let size = 0;
  return {
    take(chunk) {
      size += chunk.length;
      if (size > maxBytes) chunks = undefined;
      chunks?.push(chunk);
    },
    body: () => (chunks && size > 0 ? Buffer.concat(chunks) : undefined),
  };
}
