export { runWorker, startWorker, workerVariables } from './run';
export type { Refused, Worker, WorkerDefinition } from './worker';
