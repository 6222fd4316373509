import type { Request, Response } from 'express';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import type { Jobs } from './jobs';
import type { JobRecord } from './journal';

const KEEP_ALIVE_MS = 15_000;
const LINE_CHARACTERS = 16 * 1024;

/**
 * Sends a job's log as it grows, until the job is over: as text, or as server-sent events to a client that accepts
 * `text/event-stream`. An event `log` is one line, its id the offset after it, so that a client that comes back with
 * Last-Event-ID misses nothing; an event `end` with the outcome is the last.
 */
export async function streamLog(jobs: Jobs, job: Readonly<JobRecord>, request: Request, response: Response) {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const asEvents = request.accepts(['text/plain', 'text/event-stream']) === 'text/event-stream';
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-type', `${asEvents ? 'text/event-stream' : 'text/plain'}; charset=utf-8`);
  response.flushHeaders();

  const from = asEvents ? offsetOf(request.headers['last-event-id']) : 0;
  const bytes = jobs.followLog(job.id, from, gone.signal);
  // Proxies cut connections that are silent for a minute, and builds are silent for longer.
  const keepAlive = asEvents && setInterval(() => response.write(':\n\n'), KEEP_ALIVE_MS);
  try {
    await pipeline(Readable.from(asEvents ? events(bytes, from, job) : bytes), response);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    if (keepAlive) clearInterval(keepAlive);
  }
}

async function* events(bytes: AsyncIterable<Buffer>, from: number, job: Readonly<JobRecord>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let offset = from;
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      offset += Buffer.byteLength(line) + 1;
      yield logEvent(line, offset);
    }
    if (rest.length > LINE_CHARACTERS) {
      offset += Buffer.byteLength(rest);
      yield logEvent(rest, offset);
      rest = '';
    }
  }
  if (rest !== '') yield logEvent(rest, offset + Buffer.byteLength(rest));
  const { state, digest, reason } = job;
  yield `event: end\ndata: ${JSON.stringify({ state, digest, reason })}\n\n`;
}

/** A carriage return would end the line in this format (HTML standard, "server-sent events"): it becomes a new one. */
function logEvent(line: string, offset: number): string {
  return `event: log\nid: ${offset}\n${line.replace(/\r$/, '').split('\r').map((part) => `data: ${part}\n`).join('')}\n`; // prettier-ignore
}

function offsetOf(header: string | string[] | undefined): number {
  const offset = Number(header);
  return Number.isSafeInteger(offset) && offset > 0 ? offset : 0;
}
