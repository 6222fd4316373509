import { SpoolError } from '@weir/bus';
import type { Publisher } from '@weir/bus';
import type { WeirEvent } from '@weir/events';
import type { Outcome } from './answer';
import type { Origin } from './envelope';
import { toEvent } from './envelope';
import type { Item } from './items';

/** Takes every item that is an event and that the publisher can keep; tells of each, in the order of the items. */
export async function takeAll(
  items: readonly Item[],
  origin: Origin,
  publisher: Pick<Publisher, 'publishAll'>,
): Promise<Outcome[]> {
  const enveloped = items.map((item, index) => ('problems' in item ? item : toEvent(item.value, index, origin)));
  const events = enveloped.flatMap((each) => ('event' in each ? [each.event] : []));
  const settled = events.length > 0 ? await publisher.publishAll(events) : [];
  const kept = new Map<WeirEvent, PromiseSettledResult<'confirmed' | 'spooled'> | undefined>();
  for (const [place, event] of events.entries()) kept.set(event, settled[place]);

  return enveloped.map((each, index): Outcome => {
    const line = items[index]?.line;
    const place = line === undefined ? {} : { line };
    if ('problems' in each) return { ...place, ...each };
    const { event, bytes } = each;
    const { id, source } = event;
    const result = kept.get(event);
    if (result?.status === 'fulfilled') return { ...place, id, source, bytes, taken: result.value };
    return { ...place, id, source, notTaken: reasonOf(result?.reason) };
  });
}

/** What an outsider may know of it: the whole message goes to the log, and may name paths. */
function reasonOf(error: unknown): string {
  return error instanceof SpoolError ? error.reason : 'The event could not be kept';
}
