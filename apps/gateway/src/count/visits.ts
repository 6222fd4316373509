import { createOrdered } from '../ordered';

/**
 * What one client program does to get one image, from its first question to its last: docs/counting.md, "A visit".
 * Many machines behind one address are one source here. Their visits cannot be told apart, and need not be: whichever
 * of them a step is given to, there are as many visits as there were machines.
 */
export interface Visit {
  /** Source and repository together. */
  from: string;
  stage: Stage;
  /** By which the image was named. */
  tag: string | undefined;
  /** What the tag, or the digest that was asked for first, stands for. */
  root: string | undefined;
  /** The index that the client was given last. */
  index: string | undefined;
  /** The images that it pulled, and when; several only where it wants all platforms. */
  pulled: { digest: string; at: number }[];
  /** When its last step was. */
  last: number;
}

/** In the order in which clients take them; a ping (1) names no repository and is kept by source. */
export const stages = { head: 2, tag: 3, index: 4, image: 5 } as const;
export type Stage = (typeof stages)[keyof typeof stages];

/** A request that was answered. */
export interface Step {
  /** Source and repository together. */
  from: string;
  source: string;
  tag: string | undefined;
  /** Of what was answered. */
  digest: string | undefined;
  /** When it was asked, in milliseconds of the clock. */
  at: number;
}

export interface Visits {
  ping(source: string, at: number): void;
  /** HEAD of a manifest: always the beginning of a visit. */
  head(step: Step): Visit;
  /** GET of an index. */
  index(step: Step): Visit;
  /** GET of an image. Not a pull where it is a repetition of one. */
  image(step: Step): { visit: Visit; isPull: boolean };
  /** The visit that had come no further than asking for this ends here: with a signature, or with nothing new. */
  end(step: Step): Visit | undefined;
  close(visit: Visit): void;
  readonly size: number;
}

/** Two requests this close are one: the rule that Docker Hub has published (docker/docs#15373). */
export const FOLLOW_MS = 5_000;
/** A client that has not come further for this long will not. */
const OPEN_MS = 60_000;
/** Visits and entries together. */
const MAX_KEPT = 12_000;
const MAX_OF_ONE = 1_000;
const MAX_SOURCES = 2_000;
const MAX_PINGS = 1_000;

/** Visits of one source to one repository, the oldest first. */
interface Entry {
  visits: Visit[];
  /** Until then a visit may be missing that there was no room for, and nothing is taken for a repetition. */
  incompleteUntil: number;
}

export function createVisits(isChild: (index: string, digest: string) => boolean): Visits {
  // In the order of their last use.
  const entries = createOrdered<string, Entry>();
  /** When each source has pinged without having begun a visit yet. */
  const pings = createOrdered<string, readonly number[]>();
  let size = 0;
  let incompleteUntil = 0;

  function entryOf({ from, at }: Step): Entry {
    const known = entries.renew(from);
    const entry = known ?? { visits: [], incompleteUntil: 0 };
    if (known === undefined) entries.put(from, entry);
    else keep(known, (visit) => isOpen(visit, at));
    makeRoom(at);
    return entry;
  }

  function makeRoom(at: number): void {
    while (size + entries.size > MAX_KEPT) {
      const last = entries.shift();
      if (last === undefined) return;
      const { visits } = last.value;
      size -= visits.length;
      if (visits.some((lost) => isOpen(lost, at))) incompleteUntil = at + OPEN_MS;
    }
  }

  function keep(entry: Entry, wanted: (visit: Visit) => boolean): void {
    const kept = entry.visits.filter(wanted);
    size -= entry.visits.length - kept.length;
    entry.visits = kept;
  }

  function open(entry: Entry, stage: Stage, { from, tag, digest, at }: Step): Visit {
    const visit: Visit = { from, stage, tag, root: digest, index: undefined, pulled: [], last: at };
    entry.visits.push(visit);
    size += 1;
    if (entry.visits.length > MAX_OF_ONE) {
      entry.visits.shift();
      size -= 1;
      entry.incompleteUntil = at + OPEN_MS;
    }
    return visit;
  }

  const pingsOf = (source: string, at: number): readonly number[] =>
    (pings.get(source) ?? []).filter((ping) => at - ping <= OPEN_MS);

  function ping(source: string, at: number): void {
    pings.put(source, [...pingsOf(source, at), at].slice(-MAX_PINGS));
    const oldest = pings.oldest();
    if (pings.size <= MAX_SOURCES || oldest === undefined) return;
    if (pingsOf(oldest.key, at).length > 0) incompleteUntil = at + OPEN_MS;
    pings.delete(oldest.key);
  }

  /** Whoever pings is about to begin a visit: has somebody pinged who has not begun one yet? */
  function takePing({ source, at }: Step): boolean {
    if (!pings.has(source)) return false;
    const [first, ...others] = pingsOf(source, at);
    if (others.length > 0) pings.put(source, others);
    else pings.delete(source);
    return first !== undefined;
  }

  /** The oldest visit that this step continues, else a new one. */
  function take(step: Step, stage: Stage, fits: (visit: Visit) => boolean): Visit {
    const entry = entryOf(step);
    const found = entry.visits.find((visit) => visit.stage < stage && fits(visit));
    if (found === undefined) takePing(step);
    const visit = found ?? open(entry, stage, step);
    visit.stage = stage;
    visit.last = step.at;
    return visit;
  }

  function close(visit: Visit): void {
    const entry = entries.get(visit.from);
    if (entry !== undefined) keep(entry, (open) => open !== visit);
  }

  function leadingTo(digest: string | undefined): (visit: Visit) => boolean {
    // Asked once for each index, not for each visit: they are mostly visits to the same one.
    const known = new Map<string | undefined, boolean>();
    const has = (index: string | undefined): boolean => {
      const answer = known.get(index) ?? (index !== undefined && digest !== undefined && isChild(index, digest));
      known.set(index, answer);
      return answer;
    };
    return ({ root, index }) => digest !== undefined && (root === digest || has(root) || has(index));
  }

  function imageByDigest(step: Step): { visit: Visit; isPull: boolean } {
    const { digest, at } = step;
    const entry = entryOf(step);
    if (entry.visits.length === 0) {
      takePing(step);
      return { visit: pulledBy(open(entry, stages.image, step), stages.image, step), isPull: true };
    }
    const fitting = entry.visits.filter(leadingTo(digest));
    const before = fitting.filter((visit) => pullOf(visit, digest) === undefined);
    // One who asked for this very digest first, else one who has pulled nothing yet (docker, that knows the index, goes
    // from its HEAD to a child): otherwise its HEAD would look like that of somebody else.
    const next =
      before.find(({ root }) => root === digest) ?? before.find(({ pulled }) => pulled.length === 0) ?? before[0];
    if (next !== undefined) return { visit: pulledBy(next, stages.image, step), isPull: true };
    const last = fitting.reduce((latest, visit) => Math.max(latest, pullOf(visit, digest) ?? 0), -Infinity);
    const repeated = fitting.find((visit) => pullOf(visit, digest) === last);
    const isComplete = at >= entry.incompleteUntil && at >= incompleteUntil;
    if (!takePing(step) && repeated !== undefined && at - last <= FOLLOW_MS && isComplete)
      return { visit: repeated, isPull: false };
    return { visit: pulledBy(open(entry, stages.image, step), stages.image, step), isPull: true };
  }

  return {
    ping,
    head(step) {
      takePing(step);
      return open(entryOf(step), stages.head, step);
    },
    index(step) {
      const { tag, digest } = step;
      const visit =
        tag === undefined
          ? take(step, stages.index, leadingTo(digest))
          : take(step, stages.tag, (open) => open.tag === tag);
      if (tag !== undefined) visit.root = digest;
      visit.index = digest;
      return visit;
    },
    image(step) {
      const { tag, digest } = step;
      if (tag === undefined) return imageByDigest(step);
      const visit = take(step, stages.tag, (open) => open.tag === tag);
      visit.root = digest;
      return { visit: pulledBy(visit, stages.tag, step), isPull: true };
    },
    end(step) {
      const { tag, digest } = step;
      const visit = entryOf(step).visits.find(
        (open) => open.stage === stages.head && (tag === undefined ? open.root === digest : open.tag === tag),
      );
      if (visit !== undefined) close(visit);
      return visit;
    },
    close,
    get size() {
      return size;
    },
  };
}

function pulledBy(visit: Visit, stage: Stage, { digest, at }: Step): Visit {
  visit.stage = stage;
  visit.last = at;
  if (digest !== undefined) visit.pulled.push({ digest, at });
  return visit;
}

function pullOf(visit: Visit, digest: string | undefined): number | undefined {
  return visit.pulled.find((pull) => pull.digest === digest)?.at;
}

/** Who has what it asked for can only repeat itself. */
function isOpen(visit: Visit, at: number): boolean {
  const hasAll = visit.root !== undefined && pullOf(visit, visit.root) !== undefined;
  return at - visit.last <= (hasAll ? FOLLOW_MS : OPEN_MS);
}
