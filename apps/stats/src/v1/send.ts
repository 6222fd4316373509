import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';

/** As much as is kept to be sent as one piece, with its tag; what is longer is sent as it comes, without. */
const WHOLE_CHARACTERS = 1024 * 1024;

/**
 * Sends an answer: one of up to a mebibyte whole, with a strong ETag (and 304 to whom has it already), a longer one
 * piece by piece as the client takes them.
 *
 * @param next the address of the page after, or undefined where it is not to be told in a Link header
 * @throws Error when a piece cannot be had; when headers were sent by then, half an answer has gone out
 */
export async function send(
  response: Response,
  contentType: string,
  pieces: AsyncGenerator<string, boolean>,
  next: () => string | undefined = () => undefined,
): Promise<void> {
  const link = (more: boolean) => {
    const address = more ? next() : undefined;
    if (address !== undefined) response.set('link', `<${address}>; rel="next"`);
  };
  response.set({ 'content-type': `${contentType}; charset=utf-8`, 'cache-control': 'private, no-cache' });
  response.vary('authorization').vary('accept');
  const { text, end } = await upTo(WHOLE_CHARACTERS, pieces);
  if (end !== undefined) {
    link(end);
    const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
    response.set('etag', etag);
    if (isNamed(etag, response.req.headers['if-none-match'])) response.status(304).end();
    else response.send(text);
    return;
  }
  link(true); // that there is nothing on it is known when all has been sent
  await pipeline(Readable.from(resumed(text, pieces), { highWaterMark: 1 }), response);
}

/**
 * RFC 9110, 13.1.2. Express would have it that `Cache-Control: no-cache` asks for the whole answer again, but that is what
 * fetch adds to every If-None-Match that a script has set.
 */
function isNamed(etag: string, ifNoneMatch = ''): boolean {
  return ifNoneMatch.split(',').some((each) => ['*', etag, `W/${etag}`].includes(each.trim()));
}

/** The first pieces; `end` is what the generator ended with, if it did. */
async function upTo(
  characters: number,
  pieces: AsyncGenerator<string, boolean>,
): Promise<{ text: string; end?: boolean }> {
  const parts: string[] = [];
  for (let length = 0; length <= characters; length += parts.at(-1)?.length ?? 0) {
    const piece = await pieces.next();
    if (piece.done) return { text: parts.join(''), end: piece.value };
    parts.push(piece.value);
  }
  return { text: parts.join('') };
}

async function* resumed(text: string, rest: AsyncGenerator<string, boolean>): AsyncGenerator<string> {
  yield text;
  yield* rest;
}
