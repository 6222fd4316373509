import { ConfigError, type Context } from '@weir/service';
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
  /** @throws ConfigError when something outside of the file is missing for these rules: nothing has changed then. */
  serve: (rules: Rules) => void;
  metrics: Pick<Metrics, 'reloads' | 'rulesLoaded'>;
  log: Pick<Context['log'], 'info' | 'error'>;
}): () => void {
  function refuse(problems: readonly string[]): void {
    metrics.reloads.inc({ outcome: 'refused' });
    log.error({ problems }, 'the rules file has mistakes: the rules stay as they are');
  }

  return () => {
    const found = read();
    if (!found.ok) return refuse(found.problems);
    try {
      serve(found.rules);
    } catch (error) {
      if (error instanceof ConfigError) return refuse([error.message]);
      throw error;
    }
    metrics.reloads.inc({ outcome: 'loaded' });
    metrics.rulesLoaded.setToCurrentTime();
    log.info({ upstreams: found.rules.upstreams.map(({ name, url }) => ({ name, url })) }, 'rules reloaded');
  };
}
