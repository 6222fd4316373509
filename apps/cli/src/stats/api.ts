import type { z } from 'zod';
import type { StatsAccess } from '../endpoints';
import { CliError, clean, exitCodes } from '../io';
import { refusal } from './refusal';

/** Parameters in the order in which they are sent; undefined ones are left out, empty ones are not. */
export type Parameters = readonly (readonly [name: string, value: string | undefined])[];

/** The read API. Every call throws CliError with what is wrong and what to do about it. */
export interface StatsApi {
  /** One answer in JSON, of this shape. */
  ask<T>(path: string, parameters: Parameters, shape: z.ZodType<T>): Promise<T>;
  /** An answer of any length, in pieces as they come: nothing more is read than is taken. */
  open(path: string, parameters: Parameters, mediaType: string): Promise<Opened>;
}

export interface Opened {
  headers: Headers;
  body: AsyncIterable<Uint8Array>;
}

/** As long as nothing at all comes, an answer or more of one. */
const SILENCE_MS = 30_000;
/** Far more than a thousand rows of the longest names; an answer is in memory as a whole. */
const MAX_BYTES = 64 * 1024 * 1024;

export function createStatsApi(access: StatsAccess, signal: AbortSignal): StatsApi {
  const { origin } = access.url;

  async function open(path: string, parameters: Parameters, mediaType: string): Promise<Opened> {
    const silence = createSilence(signal);
    try {
      const response = await fetch(urlOf(access.url, path, parameters), {
        headers: { accept: mediaType, ...(access.authorization ? { authorization: access.authorization } : {}) },
        redirect: 'error', // the credentials are for this server alone
        signal: silence.signal,
      });
      const body = pieces(response, silence);
      if (!response.ok) throw refusal(origin, response.status, await textOf(body, MAX_PROBLEM), access);
      if (!isOf(response, mediaType)) {
        await response.body?.cancel();
        throw notTheApi(origin, `it sends ${clean(response.headers.get('content-type') ?? 'no content type', 60)}`);
      }
      return { headers: response.headers, body: explained(body) };
    } catch (error) {
      silence.end();
      throw explain(error);
    }
  }

  /** What breaks off on the way is told as what never came. */
  async function* explained(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* body;
    } catch (error) {
      throw explain(error);
    }
  }

  function explain(error: unknown): Error {
    if (error instanceof CliError) return error;
    if (signal.aborted) return new CliError('interrupted');
    const { cause, message, name } = error as Error & { cause?: { code?: string; message?: string } };
    const why =
      name === 'TimeoutError' ? `nothing for ${SILENCE_MS / 1000} s` : (cause?.code ?? cause?.message ?? message);
    return new CliError(
      `no answer from ${origin} (${why}): is stats running, is STATS_URL right?`,
      exitCodes.unavailable,
    );
  }

  return {
    open,
    async ask(path, parameters, shape) {
      const { body } = await open(path, parameters, 'application/json');
      const text = await textOf(body, MAX_BYTES);
      const read = shape.safeParse(jsonOf(text));
      if (read.success) return read.data;
      const [issue] = read.error.issues;
      throw notTheApi(origin, `${path} lacks what is expected at ${clean(issue?.path.join('.') || 'its top', 100)}`);
    },
  };
}

const MAX_PROBLEM = 64 * 1024;

const notTheApi = (origin: string, why: string) =>
  new CliError(
    `${origin} does not answer as the read API of Weir (${why}): is STATS_URL right?`,
    exitCodes.configuration,
  );

function urlOf(base: URL, path: string, parameters: Parameters): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/$/, '')}${path}`;
  for (const [name, value] of parameters) if (value !== undefined) url.searchParams.append(name, value);
  return url;
}

/** `application/json` is what is sent as `application/json; charset=utf-8`. */
function isOf({ headers }: Response, mediaType: string): boolean {
  return (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() === mediaType;
}

interface Silence {
  signal: AbortSignal;
  /** Something has come. */
  broken(): void;
  end(): void;
}

/** Aborts with a TimeoutError when nothing has come for too long; a reader who takes nothing is not waited for. */
function createSilence(signal: AbortSignal): Silence {
  const late = new AbortController();
  const abort = () => late.abort(new DOMException('silence', 'TimeoutError'));
  let timer = setTimeout(abort, SILENCE_MS);
  return {
    signal: AbortSignal.any([signal, late.signal]),
    broken() {
      clearTimeout(timer);
      timer = setTimeout(abort, SILENCE_MS);
    },
    end: () => clearTimeout(timer),
  };
}

async function* pieces({ body }: Response, silence: Silence): AsyncGenerator<Uint8Array> {
  try {
    silence.broken();
    for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
      silence.end(); // our own reader may be slow
      yield piece;
      silence.broken();
    }
  } finally {
    silence.end();
  }
}

async function textOf(body: AsyncIterable<Uint8Array>, max: number): Promise<string> {
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.length;
    if (bytes > max) throw new CliError(`the answer is longer than ${max / 1024} KiB: ask for less`);
    all.push(piece);
  }
  return Buffer.concat(all).toString('utf8');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
