import { readFileSync } from 'node:fs';
import { isRepositoryName } from '@weir/registry';
import { z } from 'zod';
import { identitySection, nobody, organizations } from '../identity/identity-file';
import {
  createRules,
  modes,
  type FusionRule,
  type Mode,
  type RuleDefinition,
  type Rules,
  type UpstreamTarget,
} from './rules';

/** The rules, or every mistake in them, each with the path of its field. */
export type ReadRules = { ok: true; rules: Rules } | { ok: false; problems: string[] };

const MAX_FILE_BYTES = 1024 * 1024;

const origin = z
  .string()
  .refine(isOrigin, 'must be http:// or https://, a host and perhaps a port, without path, user or query');
const pattern = z.string().regex(/^[A-Za-z0-9._\-/*]{1,255}$/, 'may have letters, digits, . _ - / and *');
const imagePattern = pattern.refine(
  (text) => text.split('/').every((part) => part === '**' || !part.includes('**')),
  '** stands for whole components: write team/** or **/app',
);
const host = z
  .string()
  .regex(/^[A-Za-z0-9.*[\]:-]{1,255}$/, 'must be a host such as images.example.com, *.example.com or localhost:8080')
  .refine((text) => !text.includes('://'), 'must be a host without http://');

const upstream = z.strictObject({
  url: origin,
  publicUrl: z.union([origin, z.literal(false)], 'must be a URL such as https://host, or false').optional(),
  redirects: z.array(host).max(100).optional(),
  realms: z.array(host).max(100).optional(),
});
const fusion = z.strictObject({
  image: imagePattern.optional(),
  tag: pattern.optional(),
  label: z
    .string()
    .regex(/^[A-Za-z0-9._\-/]{1,255}(?:=[^\0]{0,255})?$/, 'must be a label name, or name=pattern')
    .optional(),
});
const rule = z.strictObject({
  host: host.optional(),
  image: imagePattern.optional(),
  upstream: z.string(),
  rename: z.string().refine(isRepositoryName, 'must be a repository name').optional(),
  stripPrefix: z.string().max(255).optional(),
  addPrefix: z.string().max(255).optional(),
  mode: z.enum(modes, `must be one of ${modes.join(', ')}`).optional(),
  fusion: z.union([z.boolean(), fusion], 'must be true, false or an object with image, tag or label').optional(),
});
const file = z.strictObject({
  upstreams: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:_-]{0,62}$/, 'must be a short name'), upstream),
  rules: z.array(rule).min(1, 'must have at least one rule').max(10_000),
  identity: identitySection.optional(),
  /** Where `identity.organizations` stood before there was more to say of identity. */
  organizations: organizations.optional(),
});

/** Reads the file at `path`. Rules that name no mode get `defaultMode`. */
export function readRulesFile(path: string, defaultMode: Mode = 'auto'): ReadRules {
  let text;
  try {
    text = readFileSync(path);
  } catch (error) {
    return { ok: false, problems: [`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`] };
  }
  if (text.length > MAX_FILE_BYTES) return { ok: false, problems: [`${path} is larger than ${MAX_FILE_BYTES} bytes`] };
  try {
    return parseRules(JSON.parse(text.toString('utf8')), defaultMode);
  } catch (error) {
    return { ok: false, problems: [`${path} is no JSON: ${(error as Error).message}`] };
  }
}

/** Validates the content of a rules file as a whole. */
export function parseRules(json: unknown, defaultMode: Mode = 'auto'): ReadRules {
  const parsed = file.safeParse(json);
  const problems = [...(parsed.success ? [] : parsed.error.issues.map(describe)), ...unknownUpstreams(json)];
  if (!parsed.success || problems.length > 0) return { ok: false, problems: [...problems, ...renames(json)] };

  const contradictions = renames(json);
  if (contradictions.length > 0) return { ok: false, problems: contradictions };
  const targets = new Map(Object.entries(parsed.data.upstreams).map(([name, entry]) => [name, target(name, entry)]));
  const definitions = parsed.data.rules.map(({ upstream: name, mode = defaultMode, fusion: uses, ...rest }) => ({
    ...(rest as Partial<RuleDefinition>),
    mode,
    upstream: targets.get(name) as UpstreamTarget,
    ...(uses === undefined ? {} : { fusion: typeof uses === 'boolean' ? uses : fusionRule(uses) }),
  }));
  const { identity = nobody, organizations: earlier = {} } = parsed.data;
  const whose = { ...identity, organizations: { ...earlier, ...identity.organizations } };
  return { ok: true, rules: createRules(definitions, whose) };
}

/** The rules when there is no file: everything from one upstream. */
export function singleUpstream(url: string, publicUrl: string | undefined, mode: Mode): Rules {
  const name = new URL(url).host;
  return createRules([{ upstream: target(name, { url, publicUrl }), mode }]);
}

function target(name: string, entry: z.infer<typeof upstream>): UpstreamTarget {
  const { publicUrl = entry.url, redirects, realms } = entry;
  return {
    name,
    url: new URL(entry.url).origin,
    publicUrl: publicUrl === false ? undefined : new URL(publicUrl).origin,
    ...(redirects === undefined ? {} : { redirects }),
    ...(realms === undefined ? {} : { realms }),
  };
}

function fusionRule({ image, tag, label }: z.infer<typeof fusion>): FusionRule {
  const [name = '', ...value] = (label ?? '').split('=');
  return {
    ...(image === undefined ? {} : { image }),
    ...(tag === undefined ? {} : { tag }),
    ...(label === undefined ? {} : { label: { name, value: value.length > 0 ? value.join('=') : '*' } }),
  };
}

/** Is this an origin, as `new URL` understands it, and nothing more? */
export function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const bare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  return bare && url.password === '' && ['http:', 'https:'].includes(url.protocol);
}

function describe({ path, message, ...issue }: z.core.$ZodIssue): string {
  const where = path.reduce<string>(
    (so, key) => so + (typeof key === 'number' ? `[${key}]` : `${so && '.'}${String(key)}`),
    '',
  );
  if (issue.code === 'unrecognized_keys') return `${where || 'the file'}: has no field ${issue.keys.join(', ')}`;
  if (issue.code === 'invalid_key') return `${where}: ${issue.issues.map((inner) => inner.message).join(', ')}`;
  return `${where || 'the file'}: ${message}`;
}

/** References are checked on the text as it came, so that they are reported together with mistakes of form. */
function unknownUpstreams(json: unknown): string[] {
  const { upstreams, rules } = (json ?? {}) as { upstreams?: unknown; rules?: unknown };
  const known = Object.keys(typeof upstreams === 'object' && upstreams !== null ? upstreams : {});
  return rulesOf(rules).flatMap(({ upstream: name }, position) =>
    typeof name !== 'string' || known.includes(name)
      ? []
      : `rules[${position}].upstream: ${JSON.stringify(name)} is not among the upstreams (${known.join(', ') || 'none'})`,
  );
}

/** `rename` gives one image another name: it makes no sense for a pattern of many, or beside prefixes. */
function renames(json: unknown): string[] {
  return rulesOf((json as { rules?: unknown } | null)?.rules).flatMap((entry, position) => {
    if (entry['rename'] === undefined) return [];
    if (entry['stripPrefix'] !== undefined || entry['addPrefix'] !== undefined)
      return `rules[${position}].rename: cannot stand beside stripPrefix or addPrefix`;
    const image = entry['image'];
    return typeof image === 'string' && !image.includes('*')
      ? []
      : `rules[${position}].rename: needs an image without *; use stripPrefix and addPrefix for many`;
  });
}

function rulesOf(rules: unknown): Record<string, unknown>[] {
  return Array.isArray(rules) ? rules.map((entry: unknown) => (entry ?? {}) as Record<string, unknown>) : [];
}
