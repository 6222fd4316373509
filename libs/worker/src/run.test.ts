import type { WeirEvent } from '@weir/events';
import { createEvent, identityKey } from '@weir/events';
import { describeWorker } from '@weir/testing';
import type { WorkerDefinition } from './index';

/**
 * The kit under its own conformance suite, with the smallest store there is: a map in this process, standing in for a
 * server. It can be switched off, and refuses what says so.
 */
function memoryStore() {
  const stored = new Map<string, WeirEvent>();
  let up = true;
  const definition: WorkerDefinition<Record<never, never>> = {
    name: 'memory',
    variables: {},
    batch: { maxEvents: 500, maxAgeMs: 5 },
    create: () => ({
      async connect() {
        if (!up) throw new Error('the memory is off');
      },
      async write(batch) {
        if (!up) throw new Error('the memory is off');
        const refused = batch.filter(({ data }) => data['unacceptable'] === true);
        for (const event of batch) if (!refused.includes(event)) stored.set(identityKey(event), event);
        return refused.map((event) => ({ event, reason: 'is not to be kept' }));
      },
      async close() {},
    }),
  };
  const open = async () => ({
    config: {},
    server: {
      stop: async () => void (up = false),
      start: async () => void (up = true),
    },
    count: async () => stored.size,
    unacceptable: createEvent('io.weir.pull', { repository: 'a/b', unacceptable: true }, { source: 'test' }),
    close: async () => {},
  });
  return { definition, open };
}

const { definition, open } = memoryStore();
describeWorker(definition, open);
