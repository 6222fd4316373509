import { Agent, request } from 'node:http';
import type { SentEvent } from './events';

/** What became of one request: which events the edge says that it has taken. */
export interface Posted {
  taken: SentEvent[];
  status: number;
  /** The answer's Retry-After, seconds. */
  retryAfterSeconds: number;
}

export interface HttpPublisher {
  /** Posts events, one as it is, several as a batch. @throws when no answer comes: nobody knows what was taken. */
  post(events: readonly SentEvent[]): Promise<Posted>;
  close(): void;
}

/** Shorter than an edge may take with a broker that is silent, so that clients give up and repeat what was taken. */
const ANSWER_TIMEOUT_MS = 8_000;

/** Posts to ingest as its documentation tells clients to. */
export function createHttpPublisher({ url, key }: { url: string; key: string }): HttpPublisher {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  const send = (body: string, type: string): Promise<{ status: number; retryAfter: string; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          hostname,
          port,
          method: 'POST',
          path: '/events',
          agent,
          timeout: ANSWER_TIMEOUT_MS,
          headers: {
            authorization: `Bearer ${key}`,
            'content-type': type,
            'content-length': Buffer.byteLength(body),
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.on('error', reject);
          response.on('end', () => {
            const retryAfter = response.headers['retry-after'] ?? '0';
            resolve({ status: response.statusCode ?? 0, retryAfter, body: text });
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('no answer')));
      sent.on('error', reject);
      sent.end(body);
    });

  return {
    async post(events) {
      const [first] = events;
      const single = events.length === 1 && first !== undefined;
      const answer = await send(
        JSON.stringify(single ? first : events),
        single ? 'application/cloudevents+json' : 'application/cloudevents-batch+json',
      );
      const retryAfterSeconds = Number(answer.retryAfter) || 0;
      return { taken: takenOf(answer, events), status: answer.status, retryAfterSeconds };
    },
    close: () => agent.destroy(),
  };
}

/** A 202 stands for all that is not said to be refused; a 503 says of each what became of it. */
function takenOf({ status, body }: { status: number; body: string }, events: readonly SentEvent[]): SentEvent[] {
  if (status !== 202 && status !== 503) return [];
  const { results } = JSON.parse(body) as { results?: { index: number; status?: string }[] };
  if (!results) return status === 202 ? [...events] : [];
  return results.flatMap(({ index, status: taken }) => {
    const event = events[index];
    return event && (taken === 'confirmed' || taken === 'spooled') ? [event] : [];
  });
}
