import { z } from 'zod';
import { ConfigError } from './errors';

/** One environment variable: how its text becomes a value, and what the documentation says of it. */
export interface Variable<Value = unknown> {
  schema: z.ZodType<Value>;
  /** One sentence for the page of variables: meaning and unit. */
  description: string;
  example?: string;
  /** Never shown, neither its value nor a default. */
  secret?: boolean;
}

export type Variables = Readonly<Record<string, Variable>>;
export type Config<V extends Variables> = { readonly [Name in keyof V]: V[Name] extends Variable<infer T> ? T : never };

/** Declares a variable. A default belongs in the schema: `port().default(8080)`; `.optional()` may be left out. */
export function variable<Value>(
  schema: z.ZodType<Value>,
  about: { description: string; example?: string; secret?: boolean },
): Variable<Value> {
  return { schema, ...about };
}

/**
 * Reads every variable from the environment, once. An empty value counts as unset, as in compose files.
 *
 * @throws ConfigError naming every variable that is wrong, what was wrong and what is allowed. A secret's value is
 * not repeated.
 */
export function readConfig<V extends Variables>(variables: V, env: NodeJS.ProcessEnv): Config<V> {
  const problems = [];
  const config: Record<string, unknown> = {};
  for (const [name, { schema }] of Object.entries(variables)) {
    const text = env[name] === '' ? undefined : env[name];
    const parsed = schema.safeParse(text);
    if (parsed.success) config[name] = parsed.data;
    else if (text === undefined)
      problems.push({ variable: name, message: `is missing; ${variables[name]?.description ?? ''}` });
    else problems.push({ variable: name, message: parsed.error.issues.map(({ message }) => message).join('; ') });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config) as Config<V>;
}

// The types of variables: each takes the text of the environment.

const whole = (min: number, max: number, unit: string) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number of ${unit}, ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be ${min} to ${max} ${unit}`);

/** A TCP port; 0 means any free one. */
export const port = () =>
  z
    .string()
    .regex(/^\d{1,5}$/, 'must be a port, 0 to 65535')
    .transform(Number)
    .refine((value) => value <= 65_535, 'must be a port, 0 to 65535');
/** A whole number within bounds; `what` is its unit for the message ("events"). */
export const integer = (min: number, max: number, what = 'units') => whole(min, max, what);
export const milliseconds = (min = 0, max = 24 * 3600 * 1000) => whole(min, max, 'milliseconds');
export const seconds = (min = 0, max = 366 * 24 * 3600) => whole(min, max, 'seconds');
export const bytes = (min = 0, max = 2 ** 46) => whole(min, max, 'bytes');
export const flag = () => z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true');
/** A comma-separated list; white space around items is dropped, empty items are no items. */
export const list = () =>
  z.string().transform((value) => value.split(',').map((item) => item.trim()).filter((item) => item !== '')); // prettier-ignore
export const text = (max = 4096) => z.string().max(max, `must be at most ${max} characters`);
/** A path; relative ones start at the working directory. */
export const directory = () =>
  z
    .string()
    .max(4096)
    .refine((value) => !value.includes('\0'), 'must be a path');

export const httpUrl = () => url(['http:', 'https:'], 'http://host:port');
export const amqpUrl = () => url(['amqp:', 'amqps:'], 'amqp://user:password@host:5672');
export const redisUrl = () => url(['redis:', 'rediss:', 'unix:'], 'redis://:password@host:6379');
export const mongodbUrl = () =>
  z.string().regex(/^mongodb(\+srv)?:\/\/[^\s/]+/, 'must be a URL such as mongodb://user:password@host:27017');

function url(protocols: string[], example: string) {
  return z.string().refine((value) => isUrl(value, protocols), `must be a URL such as ${example}`);
}

/** Without `//` the rest would be a path (`amqp:broker`), and clients would go to localhost. */
function isUrl(value: string, protocols: string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, href } = new URL(value);
  return protocols.includes(protocol) && href.startsWith(`${protocol}//`) && value.includes('//');
}
