import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** Who may ask for builds and mirrors. */
export interface Key {
  name: string;
  /** SHA-256 of the key. */
  digest: Buffer;
  /** The organization that this key speaks for; a key without one sees the jobs of all. */
  organization?: string;
}

const ENTRY = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([0-9a-f]{64})(?::([a-z0-9][a-z0-9.-]{0,252}))?$/;

/** The variable BUILD_KEYS: `name:sha256hex[:organization]`, comma-separated. */
export const keyList = () =>
  z.string().transform((value, context): Key[] => {
    const keys: Key[] = [];
    const entries = value.split(',').map((entry) => entry.trim()).filter((entry) => entry !== ''); // prettier-ignore
    entries.forEach((entry, index) => {
      const [, name, hex, organization] = ENTRY.exec(entry) ?? [];
      // The entry itself is not repeated: somebody may have put the key where its hash belongs.
      if (!name || !hex)
        context.addIssue(
          `entry ${index + 1} must be name:sha256hex[:organization], the hash in 64 lower-case hexadecimal digits ` +
            "(printf %s 'the key' | sha256sum)",
        );
      else if (keys.some((key) => key.name === name)) context.addIssue(`two entries are named ${name}`);
      else keys.push({ name, digest: Buffer.from(hex, 'hex'), ...(organization && { organization }) });
    });
    return keys;
  });

/** Finds the key that an `Authorization: Bearer …` header carries; every key is compared, each in constant time. */
export function authenticate(header: string | undefined, keys: readonly Key[]): Key | undefined {
  const token = /^bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1];
  if (token === undefined) return undefined;
  const digest = createHash('sha256').update(token).digest();
  let found: Key | undefined;
  for (const key of keys) if (timingSafeEqual(key.digest, digest)) found = key;
  return found;
}

/** Whether a key may see, join or cancel what an organization asked for. */
export function mayAccess(key: Key, organization: string | undefined): boolean {
  return key.organization === undefined || key.organization === organization;
}
