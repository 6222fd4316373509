import type { Cube, Increment } from '../statistic';
import { textOf } from './fields';

/** Seed 002: who accessed and changed which entities. */
export const audit: Cube = {
  name: 'audit',
  summary: 'Accesses and changes of entities by namespace, entity, program and action.',
  description:
    'One for every `io.weir.audit` by its action. An access is a read, a write, or one of which nobody said what it was ' +
    '(`access`, `unknown`); the other actions are creates, updates, truncates, deletes and changes of metadata. Events ' +
    'of other actions are in none of these numbers. Who did it is known where the event names its accessor.',
  measures: {
    accesses: { summary: 'Reads, writes and unknown accesses.' },
    reads: { summary: 'Reads.' },
    writes: { summary: 'Writes.' },
    unknowns: { summary: 'Accesses of which nobody said whether they read or wrote.' },
    creates: { summary: 'Entities that were created.' },
    updates: { summary: 'Updates.' },
    truncates: { summary: 'Entities that were emptied.' },
    deletes: { summary: 'Entities that were deleted.' },
    metadataChanges: { summary: 'Changes of metadata.' },
  },
  dimensions: {
    namespace: 'Namespace of the entity.',
    entityType: 'What the entity is: `dataset`, `stream`.',
    entityName: 'Name of the entity in its namespace.',
    application: 'Application of the accessor.',
    program: 'Program of the accessor.',
    programType: 'Type of that program.',
    action: '`read`, `write`, `unknown`, `create`, `update`, `truncate`, `delete` or `metadata_change`.',
  },
  groups: [
    ['namespace'],
    ['entityType'],
    ['application'],
    ['action'],
    ['namespace', 'entityType', 'entityName'],
    ['namespace', 'application', 'program', 'programType'],
    // Who used this entity?
    ['namespace', 'entityType', 'entityName', 'application', 'program', 'programType'],
  ],
  latest: [['namespace', 'entityType', 'entityName', 'action']],
  increments({ type, data }) {
    if (type !== 'io.weir.audit') return none;
    const action = ACTIONS.get(wordOf(textOf(data, 'action')));
    if (action === undefined) return none;
    const dimensions = {
      namespace: textOf(data, 'namespace'),
      entityType: textOf(data, 'entityType'),
      entityName: textOf(data, 'entityName'),
      application: textOf(data, 'accessor', 'application'),
      program: textOf(data, 'accessor', 'program'),
      programType: textOf(data, 'accessor', 'programType'),
      action: action.name,
    };
    return [{ measures: action.measures, dimensions }];
  },
};

const none: readonly Increment[] = [];

interface Action {
  name: string;
  measures: Readonly<Record<string, number>>;
}
const unknown: Action = { name: 'unknown', measures: { accesses: 1, unknowns: 1 } };

/** By its name without what differs between publishers: case, hyphens, underscores. */
const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ['read', { name: 'read', measures: { accesses: 1, reads: 1 } }],
  ['write', { name: 'write', measures: { accesses: 1, writes: 1 } }],
  ['unknown', unknown],
  ['access', unknown],
  ['create', { name: 'create', measures: { creates: 1 } }],
  ['update', { name: 'update', measures: { updates: 1 } }],
  ['truncate', { name: 'truncate', measures: { truncates: 1 } }],
  ['delete', { name: 'delete', measures: { deletes: 1 } }],
  ['metadatachange', { name: 'metadata_change', measures: { metadataChanges: 1 } }],
]);

const wordOf = (action = ''): string => action.toLowerCase().replace(/[-_ ]/g, '');
