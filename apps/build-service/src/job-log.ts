import { EventEmitter, once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';

/** The output of one job: a file that stops growing at a limit, and that can be read while it grows. */
export interface JobLog {
  /** Adds output; what is over the limit is dropped, after one line that says so. */
  write(chunk: Buffer | string): void;
  /** Resolves when everything is in the file and readers know that there is no more. */
  end(): Promise<void>;
  /** The file's bytes from an offset on, then what is added, until the log ends or the signal aborts. */
  follow(from: number, signal: AbortSignal): AsyncGenerator<Buffer>;
}

const CHUNK_BYTES = 64 * 1024;

/** Opens (or continues) the log at `path`; the file is for the owner only. */
export function createJobLog(path: string, limitBytes: number): JobLog {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 });
  const news = new EventEmitter().setMaxListeners(0);
  let accepted = 0;
  let written = 0; // writes that are in the file: what a reader compares before it waits
  let closing = false;
  let complete = false;
  // A log that cannot be written is no reason to end a build: the job goes on, its readers see what there is.
  stream.once('error', () => {
    closing = complete = true;
    news.emit('more');
  });
  stream.once('close', () => {
    complete = true;
    news.emit('more');
  });

  return {
    write(chunk) {
      if (closing || accepted > limitBytes) return;
      const bytes = Buffer.from(chunk);
      const kept = bytes.subarray(0, limitBytes - accepted);
      const cut = kept.length < bytes.length;
      accepted = cut ? limitBytes + 1 : accepted + kept.length;
      const last = cut ? `\n[the log is limited to ${limitBytes} bytes: the rest is dropped]\n` : '';
      stream.write(Buffer.concat([kept, Buffer.from(last)]), () => {
        written += 1;
        news.emit('more');
      });
    },
    async end() {
      if (!closing) stream.end();
      closing = true;
      while (!complete) await once(news, 'more');
    },
    async *follow(from, signal) {
      let offset = from;
      while (!signal.aborted) {
        const seen = written;
        const last = complete;
        for await (const chunk of readFrom(path, offset)) {
          offset += chunk.length;
          yield chunk;
          if (signal.aborted) return;
        }
        if (last) return;
        if (seen === written && !complete) await once(news, 'more', { signal }).catch(() => {});
      }
    },
  };
}

/** The log of a job that is over: whatever is in the file, from an offset on. */
export async function* readFrom(path: string, from: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return;
  try {
    for (let offset = from; ;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
