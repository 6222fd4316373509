/** A map that knows which of its entries was put longest ago. */
export interface Ordered<Key, Value> {
  get(key: Key): Value | undefined;
  has(key: Key): boolean;
  /** The newest entry from now on, whatever it was. */
  put(key: Key, value: Value): void;
  /** False when there was none. */
  delete(key: Key): boolean;
  /** What there is, the newest entry from now on. */
  renew(key: Key): Value | undefined;
  oldest(): { key: Key; value: Value } | undefined;
  /** Takes the oldest out. */
  shift(): { key: Key; value: Value } | undefined;
  readonly size: number;
}

interface Node<Key, Value> {
  key: Key;
  value: Value;
  older: Node<Key, Value> | undefined;
  newer: Node<Key, Value> | undefined;
}

/**
 * A list beside the map. A `Map` alone keeps the order too, but leaves a gap where something is deleted, and has to pass
 * all gaps to find its first entry: at 20,000 entries, fifty microseconds for each.
 */
export function createOrdered<Key, Value>(): Ordered<Key, Value> {
  const nodes = new Map<Key, Node<Key, Value>>();
  let oldest: Node<Key, Value> | undefined;
  let newest: Node<Key, Value> | undefined;

  function unlink({ older, newer }: Node<Key, Value>): void {
    if (older === undefined) oldest = newer;
    else older.newer = newer;
    if (newer === undefined) newest = older;
    else newer.older = older;
  }

  function append(node: Node<Key, Value>): void {
    node.older = newest;
    node.newer = undefined;
    if (newest !== undefined) newest.newer = node;
    newest = node;
    oldest ??= node;
  }

  function makeNewest(node: Node<Key, Value>): void {
    if (node === newest) return;
    unlink(node);
    append(node);
  }

  return {
    get: (key) => nodes.get(key)?.value,
    has: (key) => nodes.has(key),
    put(key, value) {
      const known = nodes.get(key);
      if (known !== undefined) {
        known.value = value;
        return makeNewest(known);
      }
      const node: Node<Key, Value> = { key, value, older: undefined, newer: undefined };
      nodes.set(key, node);
      append(node);
    },
    renew(key) {
      const node = nodes.get(key);
      if (node !== undefined) makeNewest(node);
      return node?.value;
    },
    delete(key) {
      const node = nodes.get(key);
      if (node === undefined) return false;
      unlink(node);
      return nodes.delete(key);
    },
    oldest: () => oldest,
    shift() {
      const node = oldest;
      if (node === undefined) return undefined;
      unlink(node);
      nodes.delete(node.key);
      return node;
    },
    get size() {
      return nodes.size;
    },
  };
}
