import { canonicalDomain, canonicalName } from '@weir/events';
import { z } from 'zod';

/** What the `identity` of a rules file says, complete: see docs/identity.md. */
export type IdentityRules = z.output<typeof identitySection>;
export type IssuerRules = z.output<typeof issuer>;
export type IntrospectionRules = z.output<typeof introspection>;

/** Where verified claims name their user: an e-mail address, or the organization itself. */
export interface NamedBy {
  as: 'email' | 'organization';
  path: readonly string[];
}

/** A name as it is counted. Another spelling is a mistake: what stands in the file can be found in the numbers. */
const organization = z.string('must be an organization such as example.com').superRefine((text, context) => {
  const name = canonicalDomain(text) ?? canonicalName(text);
  const say = (message: string) => context.addIssue({ code: 'custom', message });
  if (name === undefined || name === '' || /\p{Cc}/u.test(name)) say('must be an organization such as example.com');
  else if (name !== text) say(`must be an organization in the form in which it is counted: ${name}`);
});
const domain = organization.refine(
  (text) => canonicalDomain(text) !== undefined,
  'must be a domain such as example.com',
);
const domains = z.array(domain, 'must be a list of domains').max(10_000, 'may have 10000 domains at most').default([]);

const endpoint = z
  .string('must be a URL')
  .max(2048, 'may have 2048 characters at most')
  .refine(isEndpoint, 'must be an https:// or http:// URL without user, password and fragment');
const shortText = z.string('must be a text').min(1, 'must not be empty').max(255, 'may have 255 characters at most');
const field = z
  .string('must be the name of a field')
  .max(255, 'may have 255 characters at most')
  .regex(/^[^.\s]+(\.[^.\s]+){0,7}$/, 'must be the name of a field such as email, or a path such as user.email');

/**
 * Hashes of credentials that are known, and whose they are. A mistake is told by its position: what should have been a
 * hash may be the credential itself.
 */
export const organizations = z
  .record(z.string(), z.unknown())
  .superRefine((entries, context) => {
    Object.entries(entries).forEach(([hash, name], position) => {
      const say = (message: string) =>
        context.addIssue({ code: 'custom', message: `entry ${position + 1} ${message}` });
      if (!/^[a-f0-9]{64}$/.test(hash))
        say('must be named by the SHA-256 of a token or of user:password, 64 hexadecimal digits');
      for (const { message } of organization.safeParse(name).error?.issues ?? []) say(message);
    });
  })
  .transform((entries) => entries as Record<string, string>);

const audiences = 'must be a text, or a list of 1 to 20';
const issuer = z
  .strictObject({
    issuer: z
      .string('must be the iss of its tokens')
      .min(1, 'must be the iss of its tokens')
      .max(1024, 'may have 1024 characters at most'),
    jwksUrl: endpoint,
    audience: z.union(
      [shortText.transform((one) => [one]), z.array(shortText).min(1, audiences).max(20, audiences)],
      audiences,
    ),
    claim: shortText.optional(),
    emailClaim: shortText.optional(),
  })
  .refine((entry) => entry.claim === undefined || entry.emailClaim === undefined, {
    path: ['claim'],
    message: 'cannot stand beside emailClaim: the organization is named by one of them',
  })
  .transform(({ claim: name, emailClaim = 'email', ...rest }) => ({
    ...rest,
    namedBy: namedBy(name === undefined ? undefined : [name], [emailClaim]),
  }));

const answer = {
  url: endpoint,
  passwords: z.boolean().default(false),
  field: field.optional(),
  emailField: field.optional(),
};
const introspection = z
  .discriminatedUnion(
    'protocol',
    [
      z.strictObject({ protocol: z.literal('user-info'), ...answer }),
      z.strictObject({ protocol: z.literal('rfc7662'), clientId: shortText, ...answer }),
    ],
    'must be user-info or rfc7662',
  )
  .refine((entry) => entry.field === undefined || entry.emailField === undefined, {
    path: ['field'],
    message: 'cannot stand beside emailField: the organization is named by one of them',
  })
  .transform(({ field: name, emailField, ...rest }) => {
    const usual = rest.protocol === 'user-info' ? 'user.email' : 'email';
    return { ...rest, namedBy: namedBy(name?.split('.'), (emailField ?? usual).split('.')) };
  });

const aliases = z.record(organization, organization).superRefine((entries, context) => {
  for (const [alias, name] of Object.entries(entries))
    if (Object.hasOwn(entries, name))
      context.addIssue({
        code: 'custom',
        path: [alias],
        message: `points to ${name}, which is an alias itself: name the organization`,
      });
});

export const identitySection = z.strictObject({
  organizations: organizations.default({}),
  jwt: z
    .array(issuer, 'must be a list of 1 to 20 issuers')
    .min(1, 'must be a list of 1 to 20 issuers')
    .max(20, 'must be a list of 1 to 20 issuers')
    .superRefine((entries, context) => {
      entries.forEach((entry, position) => {
        if (entries.findIndex((other) => other.issuer === entry.issuer) < position)
          context.addIssue({ code: 'custom', path: [position, 'issuer'], message: 'is there twice' });
      });
    })
    .optional(),
  introspection: introspection.optional(),
  aliases: aliases.default({}),
  freeMail: z.strictObject({ add: domains, remove: domains }).default({ add: [], remove: [] }),
  ttlSeconds: whole(1, 86_400).default(300),
  timeoutMs: whole(50, 5_000).default(2_000),
});

/** Nobody's credentials are known. */
export const nobody: IdentityRules = identitySection.parse({});

function whole(min: number, max: number) {
  const message = `must be a whole number, ${min} to ${max}`;
  return z.int(message).min(min, message).max(max, message);
}

function namedBy(name: string[] | undefined, email: string[]): NamedBy {
  return name === undefined ? { as: 'email', path: email } : { as: 'organization', path: name };
}

function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '' && hash === '';
}
