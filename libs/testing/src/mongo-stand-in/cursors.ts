/** Open cursors: what a find, an aggregate or a list has still to give. Bounded in number; idle ones are forgotten. */
import { CommandError } from './errors';
import { type Document, limits, type Reply } from './wire';

const maxCursors = 1_000;
const idleMs = 10 * 60_000;

interface Cursor {
  readonly namespace: string;
  documents: readonly Buffer[];
  usedAt: number;
}

export interface Cursors {
  /** The first batch of `documents`; what does not fit stays behind a cursor unless `single`. */
  open(namespace: string, documents: readonly Buffer[], batch: { size: number; single?: boolean }): Reply;
  more(id: number, namespace: string, size: number): Reply;
  kill(id: number): boolean;
}

export function createCursors(): Cursors {
  const cursors = new Map<number, Cursor>();
  let lastId = 0;

  const reply = (
    name: 'firstBatch' | 'nextBatch',
    cursorId: number,
    namespace: string,
    documents: readonly Buffer[],
  ): Reply => {
    const fields: Document = { ok: 1 };
    return { fields, batch: { name, documents, cursorId, namespace } };
  };

  return {
    open(namespace, documents, { size, single = false }) {
      const count = countFor(documents, size);
      const batch = documents.slice(0, count);
      if (single || count === documents.length) return reply('firstBatch', 0, namespace, batch);
      const now = Date.now();
      for (const [id, { usedAt }] of cursors) if (now - usedAt > idleMs) cursors.delete(id);
      if (cursors.size >= maxCursors)
        throw new CommandError(8000, `more than ${maxCursors} open cursors; close some first`);
      lastId += 1;
      cursors.set(lastId, { namespace, documents: documents.slice(count), usedAt: now });
      return reply('firstBatch', lastId, namespace, batch);
    },
    more(id, namespace, size) {
      const cursor = cursors.get(id);
      if (!cursor || cursor.namespace !== namespace) throw new CommandError(43, `cursor id ${id} not found`);
      const count = countFor(cursor.documents, size);
      const batch = cursor.documents.slice(0, count);
      cursor.documents = cursor.documents.slice(count);
      cursor.usedAt = Date.now();
      if (cursor.documents.length > 0) return reply('nextBatch', id, namespace, batch);
      cursors.delete(id);
      return reply('nextBatch', 0, namespace, batch);
    },
    kill: (id) => cursors.delete(id),
  };
}

/** How many documents make a batch: at most `size`, and at most 16 MB together, but one at least. */
function countFor(documents: readonly Buffer[], size: number): number {
  let bytes = 0;
  let count = 0;
  for (const { length } of documents) {
    bytes += length;
    if (count >= size || (count > 0 && bytes > limits.documentBytes)) break;
    count += 1;
  }
  return count;
}
