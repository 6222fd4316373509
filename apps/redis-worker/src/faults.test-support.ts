import { createEvent, type WeirEvent } from '@weir/events';

/** Today, so that nothing of it is too old to be kept. */
export const day = new Date().toISOString().slice(0, 10);

/** Twenty pulls, each of an organization and a source of its own; the same ones whenever they are made, by any process. */
export function batchFrom(first: number): WeirEvent[] {
  return Array.from({ length: 20 }, (_, at) => {
    const n = first + at;
    const data = {
      repository: 'a',
      user: { organization: `org${n}` },
      source: { day: `source ${n}`, month: '00000a' },
    };
    return createEvent('io.weir.pull', data, { source: 'test', id: `${n}`, time: new Date(`${day}T12:00:00Z`) });
  });
}
