import { writeFile } from 'node:fs/promises';
import { imageOf } from './request';

/** Registries that are spoken to in plain HTTP or with a certificate nobody signed. */
export type InsecureRegistries = readonly string[];

/** Whether TLS is to be verified for an image name. */
export function isInsecure(image: string, registries: InsecureRegistries): boolean {
  return registries.includes(imageOf(image).registry);
}

/**
 * Writes the registries.conf (containers-registries.conf(5)) that builds use for the images they start FROM: short
 * names are Docker Hub's, as in every Dockerfile, and the insecure registries are marked.
 */
export async function writeRegistriesConf(path: string, registries: InsecureRegistries): Promise<void> {
  const entries = registries.map((host) => `[[registry]]\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`);
  const text = `unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n\n${entries.join('\n')}`;
  await writeFile(path, text, { mode: 0o600 });
}
