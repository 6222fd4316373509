import { z } from 'zod';
import { canonicalPlatform } from './platform';
import { formatImage, parseImage, type ImageName } from './reference';
import { invalid, invalidFields } from './refusal';

/** A build as it was asked for, checked and in canonical form. */
export interface BuildRequest {
  /** The image to push, `host/name:tag`. */
  image: string;
  /** Canonical, sorted, at least one. */
  platforms: readonly string[];
  /** Build arguments, sorted by name. */
  arguments: readonly (readonly [name: string, value: string])[];
  /** A Dockerfile's text, or its path in the context. */
  dockerfile?: { text: string } | { path: string };
  /** SHA-256 of the uploaded tar; undefined without a context. */
  context?: string;
}

/** A mirror as it was asked for. */
export interface MirrorRequest {
  /** `host/name:tag` or `host/name@digest`. */
  source: string;
  /** `host/name:tag`. */
  target: string;
  /** Only these platforms; undefined for all that the source has. */
  platforms?: readonly string[];
}

export interface RequestLimits {
  platforms: number;
  arguments: number;
  argumentBytes: number;
  dockerfileBytes: number;
}

export const requestLimits: RequestLimits = {
  platforms: 16,
  arguments: 64,
  argumentBytes: 16 * 1024,
  dockerfileBytes: 128 * 1024,
};

const ARGUMENT_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const target = z.string('must be text: host/name:tag').transform((value, context) => {
  const image = parseImage(value);
  if (typeof image === 'string') context.addIssue(image);
  else if (image.digest) context.addIssue('must name a tag, not a digest: the digest comes out of the job');
  else if (!image.tag) context.addIssue('must name a tag, as in registry.example.com/name:tag');
  else return formatImage(image);
  return z.NEVER;
});

const source = z.string('must be text: host/name:tag or host/name@digest').transform((value, context) => {
  const image = parseImage(value);
  if (typeof image === 'string') context.addIssue(image);
  else if (!image.tag && !image.digest) context.addIssue('must name a tag or a digest');
  else return formatImage(image);
  return z.NEVER;
});

const platforms = z
  .array(
    z.string('must be text such as linux/arm64').transform((value, context) => {
      const platform = canonicalPlatform(value);
      if (platform) return platform;
      context.addIssue('must be os/architecture or os/architecture/variant, as in linux/arm64');
      return z.NEVER;
    }),
    'must be a list such as ["linux/amd64", "linux/arm64"]',
  )
  .min(1, 'must name at least one platform, or be left out')
  .max(requestLimits.platforms, `must name at most ${requestLimits.platforms} platforms`)
  .transform((list) => [...new Set(list)].sort());

const dockerfile = z
  .string('must be text: a Dockerfile, or its path in the context')
  .min(1, 'must not be empty')
  .max(requestLimits.dockerfileBytes, `must be at most ${requestLimits.dockerfileBytes} characters`)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL character')
  .transform((value, context) => {
    // No Dockerfile is one word, and a path with white space in it can be renamed.
    if (/\s/.test(value)) return { text: value };
    if (!value.startsWith('/') && !value.split('/').includes('..')) return { path: value };
    context.addIssue('must be a path inside the context, without a leading / and without ..');
    return z.NEVER;
  });

const buildSchema = z.strictObject({
  image: target,
  platforms: platforms.optional(),
  arguments: z.unknown().transform(checkArguments).optional(),
  dockerfile: dockerfile.optional(),
});
const mirrorSchema = z.strictObject({ source, target, platforms: platforms.optional() });

/**
 * Checks the JSON part of `POST /builds`.
 *
 * @throws Refusal naming every wrong field.
 */
export function checkBuild(
  value: unknown,
  { context, defaultPlatform }: { context?: string | undefined; defaultPlatform: string },
): BuildRequest {
  const request = check(buildSchema, value);
  if (context === undefined && !(request.dockerfile && 'text' in request.dockerfile))
    throw invalid('dockerfile', 'must be the text of a Dockerfile when there is no context to find one in');
  return {
    image: request.image,
    platforms: request.platforms ?? [defaultPlatform],
    arguments: request.arguments ?? [],
    ...(request.dockerfile && { dockerfile: request.dockerfile }),
    ...(context !== undefined && { context }),
  };
}

/**
 * Checks the body of `POST /mirrors`.
 *
 * @throws Refusal naming every wrong field.
 */
export function checkMirror(value: unknown): MirrorRequest {
  const request = check(mirrorSchema, value);
  if (request.source === request.target) throw invalid('target', 'must not be the source');
  return { source: request.source, target: request.target, ...(request.platforms && { platforms: request.platforms }) };
}

/** Reads JSON text. @throws Refusal when it is none. */
export function readJson(body: Buffer, field: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)) as unknown;
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message.replace(/\s+/g, ' ').slice(0, 200) : 'it is not UTF-8';
    throw invalid(field, `must be JSON: ${reason}`);
  }
}

/** The parts of a checked image name. */
export function imageOf(checked: string): ImageName {
  const image = parseImage(checked);
  if (typeof image === 'string') throw new Error(`not a checked image name: ${checked}`);
  return image;
}

/** The first field in which two requests for one target differ, or undefined when they ask for the same. */
export function difference(one: object, other: object): string | undefined {
  const [a, b] = [one, other] as Record<string, unknown>[];
  return [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])].find(
    (field) => JSON.stringify(a?.[field]) !== JSON.stringify(b?.[field]),
  );
}

function check<T>(schema: z.ZodType<T> & { shape: object }, value: unknown): T {
  const parsed = schema.safeParse(value, { error: describe });
  if (parsed.success) return parsed.data;
  throw invalidFields(
    parsed.error.issues.flatMap((issue) => {
      const at = issue.path.map(String);
      if (issue.code !== 'unrecognized_keys') return [{ field: at.join('.') || 'body', message: issue.message }];
      const known = Object.keys(schema.shape).join(', ');
      return issue.keys.slice(0, 10).map((key) => ({
        field: [...at, key.slice(0, 64)].join('.'),
        message: `is not a known field (known: ${known})`,
      }));
    }),
  );
}

function describe(issue: { code?: string; expected?: unknown }): string | undefined {
  return issue.code === 'invalid_type' && issue.expected === 'object' ? 'must be a JSON object' : undefined;
}

/** Names end up before a `=` in one argument of buildah; `__proto__` and its kin never become properties of anything. */
function checkArguments(value: unknown, context: z.RefinementCtx): [string, string][] {
  const issue = (message: string, path: string[] = []) => context.addIssue({ code: 'custom', message, path });
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    issue('must be an object such as {"VERSION": "1.4"}');
    return [];
  }
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length > requestLimits.arguments) issue(`must be at most ${requestLimits.arguments} arguments`);
  for (const [name, text] of entries.slice(0, requestLimits.arguments)) {
    const path = [name.slice(0, 64)];
    if (!ARGUMENT_NAME.test(name)) issue('must have a name of letters, digits and _, not starting with a digit', path);
    else if (typeof text !== 'string') issue('must be text', path);
    else if (Buffer.byteLength(text) > requestLimits.argumentBytes || text.includes('\0'))
      issue(`must be at most ${requestLimits.argumentBytes} bytes, without NUL characters`, path);
  }
  return entries.map(([name, text]): [string, string] => [name, String(text)]).sort(([a], [b]) => (a < b ? -1 : 1));
}
