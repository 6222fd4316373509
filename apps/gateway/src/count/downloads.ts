import type { WeirEvent } from '@weir/events';
import type { Layer } from '@weir/registry';
import type { Clock } from './clock';
import { addsTo, firstOf, lengthOf, parseRange, union, type Ranges } from './ranges';
import { createWaiting } from './waiting';

/** Which pulls have their layers fetched, and how much of them: docs/counting.md, "Download or invocation". */
export interface Downloads {
  /** The layers of this pull may be fetched from now on. `from` is source and repository together. */
  expect(from: string, pull: WeirEvent, layers: readonly Layer[]): void;
  /** Does a pull of this source wait for layers? */
  expects(from: string): boolean;
  /** A blob, or a range of it, is on its way to the client. Undefined when no pull waits for it. */
  begin(from: string, digest: string, range: string | undefined): Fetch | undefined;
  /** So many bytes have been sent, or what was asked for was left to somebody else to send. */
  end(fetch: Fetch, sent: number | 'all'): void;
  /** Publishes what is there of each. */
  flush(): void;
  readonly size: number;
}

/** A blob, or a range of it, on its way. */
export interface Fetch {
  of: Awaited;
  layer: Layer;
  ranges: Ranges;
}

/** A pull whose layers are not all there yet. */
interface Awaited {
  from: string;
  pull: WeirEvent;
  layers: readonly Layer[];
  /** Bytes of each layer that the client has. */
  fetched: Map<Layer, Ranges> | undefined;
  onTheWay: Set<Fetch> | undefined;
}

/** A client that has asked for no layer for this long has what it wanted. */
export const QUIET_MS = 60_000;
const MAX_AWAITED = 3_000;
const MAX_OF_ONE = 500;
/** Bounds of the ranges of one pull; a client that fetches in more pieces than that is not followed into the last. */
const MAX_BOUNDS = 512;

export function createDownloads(options: {
  clock: Clock;
  /** Called once for a pull of which bytes were fetched. */
  publish: (pull: WeirEvent, fetched: { bytes: number; layers: number }) => void;
}): Downloads {
  const { clock, publish } = options;
  const waiting = createWaiting<Awaited>({ clock, pauseMs: QUIET_MS, max: MAX_AWAITED, leave });
  /** In the order of the pulls. */
  const bySource = new Map<string, Awaited[]>();

  function leave(awaited: Awaited): void {
    // A layer may take longer than the pause.
    if (awaited.onTheWay !== undefined && awaited.onTheWay.size > 0 && waiting.size < MAX_AWAITED)
      waiting.hold(awaited);
    else finish(awaited);
  }

  function finish(awaited: Awaited): void {
    waiting.release(awaited);
    const { from, pull, fetched } = awaited;
    const all = bySource.get(from);
    if (all === undefined || !all.includes(awaited)) return;
    if (all.length === 1) bySource.delete(from);
    else bySource.set(from, all.filter((other) => other !== awaited)); // prettier-ignore
    if (fetched === undefined || fetched.size === 0) return;
    const bytes = [...fetched.values()].reduce((sum, ranges) => sum + lengthOf(ranges), 0);
    publish(pull, { bytes, layers: fetched.size });
  }

  /** All that is there or on its way: a second machine's request for the same bytes belongs to its own pull. */
  function claimed({ fetched, onTheWay }: Awaited, layer: Layer): Ranges {
    let ranges = fetched?.get(layer) ?? [];
    for (const fetch of onTheWay ?? []) if (fetch.layer === layer) ranges = union(ranges, fetch.ranges);
    return ranges;
  }

  function add(awaited: Awaited, layer: Layer, ranges: Ranges): void {
    if (ranges.length === 0) return;
    const fetched = (awaited.fetched ??= new Map<Layer, Ranges>());
    const before = fetched.get(layer) ?? [];
    const after = union(before, ranges);
    let bounds = after.length - before.length;
    for (const others of fetched.values()) bounds += others.length;
    if (bounds <= MAX_BOUNDS) fetched.set(layer, after);
  }

  return {
    expect(from, pull, layers) {
      if (layers.length === 0) return;
      const awaited: Awaited = { from, pull, layers, fetched: undefined, onTheWay: undefined };
      const others = bySource.get(from);
      if (others === undefined) bySource.set(from, [awaited]);
      else others.push(awaited);
      const oldest = others?.[0];
      if (others !== undefined && others.length > MAX_OF_ONE && oldest !== undefined) finish(oldest);
      waiting.hold(awaited);
    },
    expects: (from) => bySource.has(from),
    begin(from, digest, range) {
      for (const awaited of bySource.get(from) ?? []) {
        const layer = awaited.layers.find((one) => one.digest === digest);
        if (layer === undefined) continue;
        const ranges = parseRange(range, layer.size ?? Infinity);
        if (!addsTo(claimed(awaited, layer), ranges)) continue;
        const fetch = { of: awaited, layer, ranges };
        (awaited.onTheWay ??= new Set()).add(fetch);
        waiting.hold(awaited);
        return fetch;
      }
      return undefined;
    },
    end(fetch, sent) {
      const { of: awaited, layer, ranges } = fetch;
      awaited.onTheWay?.delete(fetch);
      if (!bySource.get(awaited.from)?.includes(awaited)) return;
      add(awaited, layer, sent === 'all' ? ranges : firstOf(ranges, sent));
      if (awaited.layers.every((one) => isWhole(one, awaited.fetched?.get(one)))) finish(awaited);
      else waiting.hold(awaited);
    },
    flush() {
      for (const awaited of [...bySource.values()].flat()) finish(awaited);
    },
    get size() {
      return waiting.size;
    },
  };
}

/** A layer whose size nobody states (schema 1) is whole when it was asked for as a whole. */
function isWhole({ size = Infinity }: Layer, ranges: Ranges | undefined): boolean {
  return ranges?.[0] === 0 && ranges[1] === size;
}
