import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Headers } from './headers';
import type { Answer } from './upstream';

/**
 * Sends an upstream's answer to the client as it arrives: no faster than the client reads, nothing kept but what `tap`
 * keeps. Resolves true when the client has been sent all of it, false when either side broke off.
 */
export async function relay(
  answer: Pick<Answer, 'status'> & { body: Readable | AsyncIterable<Buffer> },
  response: ServerResponse,
  headers: Headers,
  tap?: (chunk: Buffer) => void,
): Promise<boolean> {
  if (response.destroyed) {
    if (answer.body instanceof Readable) answer.body.destroy();
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

/** Sends a body that is here already. Resolves as {@link relay} does. */
export function send(body: Buffer, response: ServerResponse, headers: Headers): Promise<boolean> {
  return relay({ status: 200, body: one(body) }, response, { ...headers, 'content-length': String(body.length) });
}

async function* one(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}
