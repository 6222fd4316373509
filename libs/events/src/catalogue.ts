import { z } from 'zod';

/** A known type of event: what the documentation, the JSON Schemas, the edge and the workers agree on. */
export interface Kind {
  /** The CloudEvents type, `io.weir.pull`. */
  type: string;
  /** The type without its prefix and with `_` for `.`: `pull`, `build_finished`. Names measurements and charts. */
  name: string;
  /** One line: what happened. */
  description: string;
  /** What `data` looks like. It only judges: fields that it does not know are welcome and stay. */
  schema: z.ZodType<Record<string, unknown>>;
  /** A `data` that the schema accepts. */
  example: Record<string, unknown>;
  /** Weir's own: no edge takes it from outside, no worker gives it to a store, no statistic counts it. */
  reserved?: true;
}

/** Sent by every worker to itself through the whole flow, to see that the flow is there (docs/decisions/0006). */
export const CANARY = 'io.weir.canary';

const text = (max: number) => z.string().min(1).max(max);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** The fields that counting rests on: one name in every kind (DESIGN, section 3). */
const repository = text(512).describe('Repository as the client named it, without tag: `library/alpine`.');
const shared = {
  tag: text(128).optional().describe('Tag, when the image was named by one.'),
  digest: z.string().regex(/^[a-z0-9]+([+._-][a-z0-9]+)*:[A-Za-z0-9=_-]{32,}$/, 'must be <algorithm>:<hex>').max(512).optional().describe('Digest of the manifest.'),
  platform: text(64).optional().describe('Platform, `os/architecture[/variant]`: `linux/arm64/v8`.'),
  platforms: z.array(text(64)).max(64).optional().describe('All platforms of a build or mirror of several.'),
  user: z
    .looseObject({
      organization: text(253).optional().describe('Organization, where the publisher has verified it.'),
      email: text(320).optional().describe('E-mail address; its domain is the organization when none is given.'),
    })
    .optional(),
  fusion: z.boolean().optional().describe('Whether the image uses Fusion.'),
  bytes: count.optional().describe('Size in bytes.'),
  client: z.object({ name: text(128).optional(), version: text(128).optional() }).optional().describe('Client, from its user agent.'),
  kind: text(32).optional().describe('What was fetched: `image`, `helm-chart` or `artifact`; of a referrer `signature`, `attestation`, `sbom`, `list` or `other`.'),
  artifactType: text(255).optional().describe('Media type that says what an artifact is: its `artifactType`, else that of its configuration.'),
  source: z
    .looseObject({
      day: text(64).optional().describe('Pseudonym of the source for one UTC day; its secret is destroyed with the day.'),
      month: text(16).optional().describe('Coarse pseudonym for one UTC month: 24 bits, shared by many addresses by design.'),
    })
    .optional()
    .describe('Who asked, without saying who: for counting distinct sources.'),
  country: z.string().regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 code such as DE').optional().describe('Country of the source, ISO 3166-1 alpha-2.'),
  network: z
    .looseObject({
      name: text(255).optional().describe('Who runs the network: a company, a provider.'),
      asn: count.optional().describe('Number of the autonomous system.'),
      cloud: text(64).optional().describe('Cloud that the network belongs to: `aws`, `azure`, `gcp` …'),
    })
    .optional()
    .describe('Network of the source.'),
  pattern: z.enum(['production-or-poller', 'development', 'unknown']).optional().describe('Rhythm of the source in this repository.'),
  outcome: z.enum(['succeeded', 'failed', 'cancelled', 'timed-out']).optional(),
  durationMs: z.number().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe('Duration in milliseconds.'),
}; // prettier-ignore

const image = z.object({ repository, ...shared });
const finished = z.object({
  repository,
  ...shared,
  outcome: z.enum(['succeeded', 'failed', 'cancelled', 'timed-out']),
});
const resource = z.object({ ...shared, repository: repository.optional(), resource: text(1024).optional() });
const download = resource.extend({
  pull: text(255).optional().describe('`id` of the pull whose layers were fetched.'),
  layers: count.optional().describe('Layers of which bytes were fetched.'),
});

const user = { organization: 'example.com' };
const digest = `sha256:${'0'.repeat(64)}`;

/** The one list of known types. Everything that is said about a type anywhere comes from here. */
export const catalogue: readonly Kind[] = [
  kind('pull', 'A client fetched an image manifest: one pull of one image.', image, {
    repository: 'library/alpine', tag: '3.20', digest, platform: 'linux/amd64', user, fusion: false, bytes: 3_623_807,
    client: { name: 'docker', version: '27.1.1' },
  }),
  kind('check', 'A client asked whether an image changed (a HEAD, a version poll): not a pull.', image, {
    repository: 'library/alpine', tag: 'latest', digest, client: { name: 'containerd', version: '1.7.12' },
  }),
  kind('referrer', 'A client fetched what stands beside an image (a signature, an attestation, an SBOM, a list of referrers): not a pull.', image, {
    repository: 'library/alpine', digest, kind: 'signature', client: { name: 'cosign', version: '2.4.1' },
  }),
  kind('build', 'A build was launched.', image, {
    repository: 'acme/app', tag: '1.4', platforms: ['linux/amd64', 'linux/arm64'], user,
  }),
  kind('build.finished', 'A build ended.', finished, {
    repository: 'acme/app', tag: '1.4', platform: 'linux/amd64', user, outcome: 'succeeded', durationMs: 41_250, bytes: 81_002_113, digest,
  }),
  kind('mirror', 'A copy of an image to another registry was launched.', image, {
    repository: 'mirror/alpine', tag: '3.20', platforms: ['linux/amd64', 'linux/arm64'], user,
  }),
  kind('mirror.finished', 'A copy ended.', finished, {
    repository: 'mirror/alpine', tag: '3.20', user, outcome: 'failed', durationMs: 1_200,
  }),
  kind('scan', 'A security scan of an image was launched.', image, {
    repository: 'acme/app', tag: '1.4', digest, platform: 'linux/amd64', user,
  }),
  kind('scan.finished', 'A security scan ended.', finished, {
    repository: 'acme/app', tag: '1.4', digest, platform: 'linux/amd64', user, outcome: 'succeeded', durationMs: 9_800,
  }),
  kind('health', 'A health monitor measured a service (seed 003).', z.object({
    service: text(255), healthy: z.boolean(), responseTimeMs: z.number().min(0).optional(), queueLength: count.optional(),
  }), { service: 'registry', healthy: true, responseTimeMs: 12.5, queueLength: 3 }),
  kind('audit', 'Somebody accessed or changed an entity (seed 002).', z.object({
    namespace: text(255), entityType: text(64), entityName: text(512), action: text(64),
    accessor: z.object({}).optional(),
  }), { namespace: 'default', entityType: 'dataset', entityName: 'orders', action: 'read', accessor: { application: 'report' } }),
  kind('storage', 'A file was stored or deleted (seed 003).', resource.extend({ action: text(64) }), {
    action: 'uploaded', resource: 'file/42', bytes: 1_024, user,
  }),
  kind('extraction', 'An extractor queued or worked on a resource (seed 003).', resource.extend({ extractor: text(255).optional(), message: text(4096).optional() }), {
    resource: 'dataset/7', extractor: 'image-preview', message: 'queued', user,
  }),
  kind('view', 'A page or resource was looked at (seed 003).', resource, { resource: 'dataset/7', user }),
  kind('download', 'A resource was downloaded (seed 003), or layers of a pulled image were fetched.', download, { resource: 'file/42', bytes: 1_024, user }),
  kind('outage', 'A service went down or came back (seed 003).', z.object({
    service: text(255), state: z.enum(['down', 'up', 'maintenance']),
    outage: text(255).optional().describe('Which outage it is: of one, `down` and `up` say the same. Needed only where several of a service overlap.'),
    reason: text(255).optional().describe('`spooled`: a publisher of Weir itself could not reach the broker, and its events waited in its spool.'),
    events: count.optional().describe('Of `spooled`: how many events waited so; a restart may have forgotten some of them.'),
  }), { service: 'weir/ingest', state: 'down', outage: '01937a5e-0000-7000-8000-000000000000', reason: 'spooled', events: 1_204 }),
  { ...kind('canary', 'A worker sent itself an event to see that the flow is there: reserved, dropped by every worker, counted nowhere.', z.object({
    worker: text(64).describe('The worker that sent it: `redis`.'),
  }), { worker: 'redis' }), reserved: true },
]; // prettier-ignore

const byType = new Map(catalogue.map((entry) => [entry.type, entry]));

/** The catalogue's entry for a CloudEvents type, or undefined for a type that Weir does not know. */
export function kindOf(type: string): Kind | undefined {
  return byType.get(type);
}

function kind(name: string, description: string, schema: Kind['schema'], example: Record<string, unknown>): Kind {
  return { type: `io.weir.${name}`, name: name.replace('.', '_'), description, schema, example };
}
