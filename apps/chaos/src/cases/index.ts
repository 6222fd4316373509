import type { Case } from '../case';
import { alarmCases } from './alarms';
import { brokerCases } from './broker';
import { inputCases } from './input';
import { networkCases } from './network';
import { powerCases } from './power';
import { processCases } from './processes';
import { redisCases } from './redis';
import { spoolCases } from './spool';
import { storeCases } from './stores';
import { workerCases } from './workers';
import { clusterCases } from './cluster';
import { connectionCases } from './connections';
import { consumerCases } from './consumers';
import { mongoCases } from './mongo';
import { secretCases } from './secrets';

/** Every case that can be played, in the order of the catalogue (reference reliability A.9). */
export const cases: readonly Case[] = [
  ...clusterCases,
  ...connectionCases,
  ...consumerCases,
  ...mongoCases,
  ...secretCases,
  ...brokerCases,
  ...networkCases,
  ...alarmCases,
  ...workerCases,
  ...processCases,
  ...inputCases,
  ...storeCases,
  ...redisCases,
  ...spoolCases,
  ...powerCases,
].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
