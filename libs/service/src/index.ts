export {
  amqpUrl,
  brokersOf,
  bytes,
  directory,
  flag,
  httpUrl,
  integer,
  list,
  milliseconds,
  mongodbUrl,
  port,
  redisUrl,
  seconds,
  text,
} from './config';
export { readConfig, variable } from './config';
export type { Config, Variable, Variables } from './config';
export { commonVariables, runApp } from './run';
export type { App, Context } from './run';
export { createHealth } from './health';
export type { Health, Probe, Readiness } from './health';
export { holderOf, listen, problem } from './http';
export type { ProblemDocument } from './http';
export { explainTls } from './tls';
export { backoff } from './backoff';
export type { Backoff } from './backoff';
export { ConfigError, StartError } from './errors';
export type { ConfigProblem } from './errors';
