import {
  formatPlatform,
  isDigest,
  parsePlatform,
  type ImageConfig,
  type Manifest,
  type Platform,
} from '@weir/registry';
import { z } from 'zod';

/** Longest text of what was learned of one digest; what is longer is not shared. */
export const MAX_LEARNED_BYTES = 64 * 1024;

/** An image's configuration, and the names of all labels that were looked for in it. */
export interface LearnedConfig {
  config: ImageConfig;
  looked: readonly string[];
}

const digest = z.string().refine(isDigest);
const size = z.int().nonnegative();
const platform = z.string().transform((text, context): Platform => {
  const found = parsePlatform(text);
  if (found) return found;
  context.addIssue('is no platform');
  return z.NEVER;
});
const manifest = z.strictObject({
  v: z.literal(1),
  manifest: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('image'),
      kind: z.enum(['image', 'helm-chart', 'artifact', 'signature', 'attestation', 'sbom', 'other']),
      artifactType: z.string().max(255).optional(),
      layers: z.array(z.strictObject({ digest, size: size.optional() })).max(1000),
      bytes: size.optional(),
      config: z.strictObject({ digest, size }).optional(),
      platform: platform.optional(),
    }),
    z.strictObject({
      type: z.literal('index'),
      children: z
        .array(
          z.strictObject({
            digest,
            mediaType: z.string().max(255),
            platform: platform.optional(),
            attests: z.literal(true).optional(),
          }),
        )
        .max(1000),
    }),
  ]),
});
const configuration = z.strictObject({
  v: z.literal(1),
  config: z.strictObject({ platform: platform.optional(), labels: z.record(z.string(), z.string()) }),
  looked: z.array(z.string()).max(1000),
});

/** What a manifest says, as text for {@link decodeManifest}; undefined when it is too long to be shared. */
export function encodeManifest(known: Manifest): string | undefined {
  return encode({
    manifest: known.type === 'image' ? withText(known) : { ...known, children: known.children.map(withText) },
  });
}

/** Undefined when the text is not what {@link encodeManifest} makes, in whatever way. */
export function decodeManifest(text: string): Manifest | undefined {
  return decode(manifest, text)?.manifest as Manifest | undefined;
}

export function encodeConfig({ config, looked }: LearnedConfig): string | undefined {
  return encode({ config: withText(config), looked });
}

export function decodeConfig(text: string): LearnedConfig | undefined {
  const found = decode(configuration, text);
  return found && { config: found.config as ImageConfig, looked: found.looked };
}

function encode(known: object): string | undefined {
  const text = JSON.stringify({ v: 1, ...known });
  return Buffer.byteLength(text) > MAX_LEARNED_BYTES ? undefined : text;
}

function decode<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** With its platform as events say it. */
function withText<T extends { platform?: Platform }>(of: T): object {
  return { ...of, platform: of.platform && formatPlatform(of.platform) };
}
