import type { Case } from '../case';
import { brokerCases } from './broker';
import { clusterCases } from './cluster';
import { connectionCases } from './connections';
import { consumerCases } from './consumers';
import { mongoCases } from './mongo';
import { secretCases } from './secrets';
import { spoolCases } from './spool';
import { storeCases } from './stores';
import { workerCases } from './workers';

/** Every case that can be played, in the order of the catalogue (reference reliability A.9). */
export const cases: readonly Case[] = [
  ...brokerCases,
  ...clusterCases,
  ...connectionCases,
  ...consumerCases,
  ...mongoCases,
  ...secretCases,
  ...workerCases,
  ...storeCases,
  ...spoolCases,
].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
