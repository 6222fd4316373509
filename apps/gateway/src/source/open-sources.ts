import type { Context } from '@weir/service';
import type { Metrics } from '../metrics';
import type { AddressOf } from './client-address';
import { createLocation, type Find, type Network } from './location';
import { createPseudonyms } from './pseudonyms';
import { createRhythm } from './rhythm';
import { createSecrets } from './secrets';
import { openSharedSecrets } from './shared-secrets';
import { createSources, type Sources } from './sources';
import type { DoNotTrack } from './tracking';

/** The part of the configuration that is about sources. */
export interface SourcesConfig {
  SOURCES: 'on' | 'off';
  GATEWAY_DO_NOT_TRACK: DoNotTrack;
  GEOIP_COUNTRY_FILE: Find<string> | undefined;
  GEOIP_NETWORK_FILE: Find<Network> | undefined;
  REDIS_URL: string | undefined;
}

/** Sources as they are configured. `close` destroys the secrets: what is asked afterwards has no pseudonym. */
export async function openSources(
  config: SourcesConfig,
  { addressOf, metrics, log }: { addressOf: AddressOf; metrics: Metrics; log: Pick<Context['log'], 'warn' | 'info'> },
): Promise<{ sources: Sources; close(): void }> {
  const doNotTrack = config.GATEWAY_DO_NOT_TRACK;
  if (config.SOURCES === 'off') return { sources: createSources({ addressOf, doNotTrack }), close: () => {} };

  const shared = config.REDIS_URL === undefined ? undefined : await openSharedSecrets(config.REDIS_URL);
  const secrets = createSecrets({ shared, unshared: metrics.unsharedSecrets, log });
  const told = {
    pseudonyms: createPseudonyms(secrets),
    location: createLocation(config.GEOIP_COUNTRY_FILE, config.GEOIP_NETWORK_FILE),
    rhythm: createRhythm(),
  };
  return {
    sources: createSources({ addressOf, doNotTrack, told }),
    close() {
      secrets.close();
      shared?.close();
    },
  };
}
