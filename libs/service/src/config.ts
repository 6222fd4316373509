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
/** One broker, or several of one cluster with commas between them; {@link brokersOf} tells them apart. */
export const amqpUrl = () => z.string().superRefine((value, context) => {
  for (const message of mistakesInBrokers(brokersOf(value))) context.addIssue({ code: 'custom', message });
}); // prettier-ignore
export const redisUrl = () => url(['redis:', 'rediss:', 'unix:'], 'redis://:password@host:6379');
export const mongodbUrl = () =>
  z.string().regex(/^mongodb(\+srv)?:\/\/[^\s/]+/, 'must be a URL such as mongodb://user:password@host:27017');

/** The URLs in a value of {@link amqpUrl}. A comma may stand in a password too: only one before a scheme parts them. */
export const brokersOf = (value: string): string[] => value.split(/,(?=\s*amqps?:)/).map((each) => each.trim());

/** Names a broker by its place: in what is no URL, a host cannot be told from a password. */
function mistakesInBrokers(brokers: readonly string[]): string[] {
  const isBroker = (each: string) => isUrl(each, ['amqp:', 'amqps:']) && /^[^,]+$/.test(new URL(each).hostname);
  const wrong = brokers.flatMap((each, at) => (isBroker(each) ? [] : [at + 1]));
  const shape = 'must be a URL such as amqp://user:password@host:5672';
  if (wrong.length > 0 && brokers.length === 1) return [`${shape}, or several of them with commas between`];
  if (wrong.length > 0) return wrong.map((at) => `${shape}; number ${at} of ${brokers.length} is not`);
  const vhosts = new Set(brokers.map((each) => new URL(each).pathname.replace(/^\/$/, '')));
  return vhosts.size > 1 ? ['must name one virtual host, the same in every URL: several brokers are one cluster'] : [];
}

function url(protocols: string[], example: string) {
  return z.string().refine((value) => isUrl(value, protocols), `must be a URL such as ${example}`);
}

/** Without `//` the rest would be a path (`amqp:broker`), and clients would go to localhost. */
function isUrl(value: string, protocols: string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, href } = new URL(value);
  return protocols.includes(protocol) && href.startsWith(`${protocol}//`) && value.includes('//');
}
