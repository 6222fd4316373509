import type { Redis } from 'ioredis';

const MAX_RECONNECT_MS = 2_000;
/** How long a dead server may take to say goodbye before its socket is thrown away. */
const DISCONNECT_TIMEOUT_MS = 500;

/**
 * A connection to the Redis that gateways share, for one kind of question: one whose questions are given up early is
 * broken off without taking another's along. Nothing is queued and nothing is sent twice: who gets no answer in time does
 * without. The client takes twenty megabytes of memory, so it is loaded where there is a Redis.
 */
export async function openRedis(url: string, answerTimeoutMs: number): Promise<Redis> {
  const { Redis } = await import('ioredis');
  return new Redis(url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false, // it would need +info; a Redis that still loads its data is asked again
    commandTimeout: answerTimeoutMs,
    connectTimeout: 1_000,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(attempt * 100, MAX_RECONNECT_MS),
  });
}
