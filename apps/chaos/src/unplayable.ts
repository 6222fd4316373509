/** Entries of the catalogue (reference reliability A.9) that one machine cannot play, or that are tested elsewhere. */
export interface Unplayable {
  id: string;
  /** Why, and where the promise is tested instead. */
  reason: string;
}

export const unplayable: readonly Unplayable[] = [
  {
    id: 'F17',
    reason: 'needs RabbitMQ 4.1, 4.2 and 4.3 beside 3.10; that the topology uses none of it is in libs/bus (topology)',
  },
  { id: 'F29', reason: 'impossible by construction, one ack for a batch in order: libs/bus/src/consumer.test.ts' },
  {
    id: 'F58-4.x',
    reason:
      'an upgrade needs RabbitMQ 3.13 and 4.x beside 3.10.8, the only one that is packaged; F58 restarts the three nodes of a 3.10.8 cluster, which is what a rolling upgrade does to clients',
  },
];
