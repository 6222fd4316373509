import type { Upstream } from '../answer/upstream';
import type { UpstreamTarget } from './rules';

/** The open upstreams, kept over changes of the rules. */
export interface Upstreams {
  /**
   * The upstreams of these targets, by name. One that was there before with the same settings goes on; those that are
   * named no more are retired.
   */
  named(targets: readonly UpstreamTarget[]): ReadonlyMap<string, Upstream>;
  /** Breaks off everything. */
  close(): Promise<void>;
}

export function createUpstreams(open: (target: UpstreamTarget) => Upstream): Upstreams {
  let current = new Map<string, { settings: string; upstream: Upstream }>();
  const retiring = new Set<Upstream>();

  function retire(upstream: Upstream): void {
    retiring.add(upstream);
    void upstream.retire().then(() => retiring.delete(upstream));
  }

  return {
    named(targets) {
      const before = current;
      current = new Map(
        targets.map((target) => {
          const settings = JSON.stringify(target);
          const kept = before.get(target.name);
          return [target.name, kept?.settings === settings ? kept : { settings, upstream: open(target) }];
        }),
      );
      for (const [name, { upstream }] of before) if (current.get(name)?.upstream !== upstream) retire(upstream);
      return new Map([...current].map(([name, { upstream }]) => [name, upstream]));
    },
    async close() {
      const all = [...retiring, ...[...current.values()].map(({ upstream }) => upstream)];
      await Promise.all(all.map((upstream) => upstream.close()));
    },
  };
}
