import type { IncomingMessage, ServerResponse } from 'node:http';
import { BodyError } from './items';

/** The client went away before its request was complete: there is nobody to answer. */
export class ClientGone extends Error {}

/**
 * The whole body, at most `limitBytes`. Refuses with {@link BodyError} 413 as soon as it is known to be larger: by its
 * Content-Length before the first byte, or at the byte that is too many. (body-parser reads a refused body to its end.)
 */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new BodyError(415, `Content-Encoding ${encoding.slice(0, 40)} is not taken: send the body uncompressed`);
  }
  const tooLarge = () => new BodyError(413, `The body is larger than ${limitBytes} bytes: send it in several requests`);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge();

  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (settle: () => void) => {
      request.off('data', take).off('end', end).off('error', gone).off('close', gone);
      settle();
    };
    const take = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limitBytes) finish(() => reject(tooLarge()));
      else chunks.push(chunk);
    };
    const end = () => finish(() => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)));
    const gone = () => finish(() => reject(new ClientGone('the client closed the connection')));
    request.on('data', take).on('end', end).on('error', gone).on('close', gone);
  });
}

const LINGER_MS = 2000;

/**
 * After an answer that came before the end of the request: lets the client finish sending and read the answer (closing
 * at once would reset the connection and lose it), but only so long. What still comes is thrown away by Node.
 */
export function lingerAfter(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete || request.destroyed) return;
    const cut = setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS).unref();
    request.once('close', () => clearTimeout(cut)).on('error', () => {});
    request.resume();
  });
}
