import { SpoolError } from '@weir/bus';
import type { Encoded, Publisher } from '@weir/bus';
import type { Outcome } from './answer';
import type { Origin } from './envelope';
import { toEvent } from './envelope';
import type { Item } from './items';

/**
 * Takes every item that is an event and that the publisher can keep; tells of each, in the order of the items. Those are
 * not left: parsed, they are much larger than what waits for the broker or the disk.
 */
export async function takeAll(
  items: Item[],
  origin: Origin,
  publisher: Pick<Publisher, 'publishEncoded'>,
): Promise<Outcome[]> {
  const enveloped = items.map((item, index) => ('problems' in item ? item : toEvent(item.value, index, origin)));
  const lines = items.map(({ line }) => line);
  items.length = 0;
  const messages = enveloped.filter((each): each is Encoded & { source: string } => 'body' in each);
  const settled = await publisher.publishEncoded(messages);
  let next = 0;
  return enveloped.map((each, index): Outcome => {
    const line = lines[index];
    if ('problems' in each) return { line, ...each };
    const { id, source, body } = each;
    const result = settled[next++];
    if (result?.status === 'fulfilled') return { line, id, source, bytes: body.length, taken: result.value };
    return { line, id, source, notTaken: reasonOf(result?.reason) };
  });
}

/** What an outsider may know of it: the whole message goes to the log, and may name paths. */
function reasonOf(error: unknown): string {
  return error instanceof SpoolError ? error.reason : 'The event could not be kept';
}
