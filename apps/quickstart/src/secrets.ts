import { createHash, randomBytes } from 'node:crypto';
import type { Folder } from './folder';
import { readJson, writeJson } from './folder';

/** What the first start makes and every later one finds again, so that a copied key goes on working. */
export interface Secrets {
  /** For `POST /events` (ingest). */
  ingestKey: string;
  /** For `POST /builds` and `/mirrors` (build-service). */
  buildKey: string;
  statsUser: string;
  statsPassword: string;
}

/** Keys of the demo's organizations for the build-service; made anew for each run. */
export function newBuildKeys(organizations: readonly string[]): Record<string, string> {
  return Object.fromEntries(organizations.map((organization) => [organization, newSecret('demo')]));
}

/** The folder's secrets; those that are missing are made and kept (file mode 0600). */
export function keepSecrets(folder: Folder): Secrets {
  const kept = (readJson(folder.secrets) ?? {}) as Partial<Secrets>;
  const secrets: Secrets = {
    ingestKey: kept.ingestKey ?? newSecret('ingest'),
    buildKey: kept.buildKey ?? newSecret('build'),
    statsUser: kept.statsUser ?? 'weir',
    statsPassword: kept.statsPassword ?? newSecret('stats'),
  };
  writeJson(folder.secrets, secrets);
  return secrets;
}

/** As the apps are told a secret: `name:hash`, so that their environment and their core dumps hold nothing that opens a door. */
export function hashed(name: string, secret: string): string {
  return `${name}:${createHash('sha256').update(secret).digest('hex')}`;
}

/** 192 random bits behind a prefix that says what the key is for, should it turn up in the wrong place. */
function newSecret(purpose: string): string {
  return `weir_${purpose}_${randomBytes(24).toString('base64url')}`;
}
