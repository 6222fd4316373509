export { messageOptions } from './message';
export { createPublisher } from './publisher';
export type { Encoded, Published, Publisher, PublisherOptions } from './publisher';
export { SpoolError } from './spool-error';
export { createConsumer } from './consumer';
export type { Consumer, ConsumerOptions, Handle, Held } from './consumer';
export { createSender } from './sender';
export type { Outgoing, Sender, SenderOptions } from './sender';
export { park } from './parker';
export type { DeadLetter, Parkable } from './parker';
export { answerTo, createAnswering, createCanary } from './canary';
export type { Answer, Canary, CanaryOptions } from './canary';
export { createAudit } from './audit';
export type { Audit, AuditOptions, Depth, HistoryWatch, Look, Missing } from './audit';
export { MismatchError } from './mismatch';
export { keepConnected } from './link';
export type { Link, LinkOptions } from './link';
export {
  deadQueueOf,
  declareOn,
  declareTopology,
  EXCHANGE,
  HISTORY,
  isOptional,
  neededToPublish,
  queueOf,
  topology,
  UNROUTED,
  WORKERS,
} from './topology';
export type { QueueDeclaration, Topology } from './topology';
export { whyUnavailable } from './unavailable';
export type { Unavailable } from './unavailable';
export { openHistory } from './history';
export type { History, HistoryBatch, HistoryEvent, HistoryReader } from './history';
export { earliestArrival, findReach } from './reach';
export type { Reach } from './reach';
