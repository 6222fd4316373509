import type { Flow } from './flow';
import type { Row } from './table';

/** What the supervisor tells the command that started it. */
export type FromSupervisor =
  | { type: 'progress'; text: string }
  | { type: 'notice'; text: string }
  | { type: 'ask'; question: string }
  | { type: 'ready'; rows: Row[]; hints: string[] }
  | { type: 'flow'; flow: Flow }
  | { type: 'failed'; text: string };

/** What the command tells the supervisor. Without a `leave`, the end of the connection means: take everything down. */
export type ToSupervisor = { type: 'answer'; yes: boolean } | { type: 'leave' } | { type: 'stop' } | { type: 'force' };
