import type { Context } from '@weir/service';
import type { Metrics } from '../metrics';
import type { Rules } from './rules';
import type { ReadRules } from './rules-file';

/**
 * Reads the rules anew. They are taken as a whole or not at all: with a single mistake the old ones stay, and every
 * mistake is logged with its place.
 */
export function createReload({
  read,
  serve,
  metrics,
  log,
}: {
  read: () => ReadRules;
  serve: (rules: Rules) => void;
  metrics: Pick<Metrics, 'reloads' | 'rulesLoaded'>;
  log: Pick<Context['log'], 'info' | 'error'>;
}): () => void {
  return () => {
    const found = read();
    metrics.reloads.inc({ outcome: found.ok ? 'loaded' : 'refused' });
    if (!found.ok) {
      log.error({ problems: found.problems }, 'the rules file has mistakes: the rules stay as they are');
      return;
    }
    serve(found.rules);
    metrics.rulesLoaded.setToCurrentTime();
    log.info({ upstreams: found.rules.upstreams.map(({ name, url }) => ({ name, url })) }, 'rules reloaded');
  };
}
