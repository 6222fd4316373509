import { createEvent } from '@weir/events';
import type { WeirEvent } from '@weir/events';
import type { Organization } from './rules';

const PLACES = [
  { country: 'DE', network: { name: 'Example Net', asn: 64_496 }, pattern: 'development' },
  { country: 'US', network: { name: 'Example Cloud', asn: 64_497, cloud: 'aws' }, pattern: 'production-or-poller' },
  { country: 'ES', network: { name: 'Example Campus', asn: 64_498 }, pattern: 'unknown' },
  { country: 'US', network: { name: 'Example Cloud', asn: 64_499, cloud: 'gcp' }, pattern: 'production-or-poller' },
] as const;

/**
 * Events that the demo makes up, for the kinds that nothing in the quick start does for real. Each says so: its
 * source is `/demo/…` and `data.demo` is true.
 */
export function madeUpEvents(
  turn: number,
  organization: Organization,
  image: { repository: string; tag: string },
): WeirEvent[] {
  const user = { organization };
  const make = (type: string, service: string, data: object): WeirEvent =>
    createEvent(`io.weir.${type}`, { demo: true, ...data }, { source: `/demo/${service}` });
  const scanned = { ...image, platform: turn % 2 ? 'linux/arm64' : 'linux/amd64', user };
  const busy = 4 + 3 * Math.sin(turn / 6);
  // Every fifth turn the made-up service is down, and up again with the next.
  const down = turn % 5 === 4;
  const events = [
    make('scan', 'scanner', scanned),
    make('scan.finished', 'scanner', {
      ...scanned,
      outcome: turn % 7 === 6 ? 'failed' : 'succeeded',
      durationMs: 900 + (turn % 5) * 250,
    }),
    make('health', 'monitor', {
      service: 'demo',
      healthy: !down,
      responseTimeMs: Math.round(busy * 30) / 10,
      queueLength: Math.round(busy),
    }),
    make('audit', 'catalog', {
      namespace: 'default',
      entityType: 'dataset',
      entityName: 'orders',
      action: turn % 3 ? 'read' : 'write',
      accessor: { application: 'report' },
    }),
    ...(down ? [make('outage', 'monitor', { service: 'demo', state: 'down' })] : []),
    ...(turn % 5 === 0 && turn > 0 ? [make('outage', 'monitor', { service: 'demo', state: 'up' })] : []),
    // A type that Weir has never heard of is welcome, too.
    ...(turn % 3 === 1
      ? [createEvent('com.example.deployment', { demo: true, user }, { source: '/demo/deployer' })]
      : []),
  ];
  // All that pulls in the quick start is on this host, which is in no country and no cloud.
  const elsewhere = make('pull', 'elsewhere', { ...scanned, kind: 'image', ...PLACES[turn % PLACES.length] });
  const others = [
    make('storage', 'storage', {
      action: turn % 2 ? 'uploaded' : 'deleted',
      resource: `file/${turn % 40}`,
      bytes: 1024 * (1 + (turn % 9)),
      user,
    }),
    make('extraction', 'extractor', {
      resource: `dataset/${turn % 12}`,
      extractor: 'image-preview',
      message: 'queued',
      user,
    }),
    make('view', 'web', { resource: `dataset/${turn % 12}`, user }),
    make('download', 'web', { resource: `file/${turn % 40}`, bytes: 1024 * (1 + (turn % 9)), user }),
  ];
  return [...events, elsewhere, ...others.slice(turn % 4, (turn % 4) + 1)];
}

/** Posts events to ingest as one batch (CloudEvents HTTP binding, batched content mode). */
export async function post(
  ingest: string,
  key: string,
  events: readonly WeirEvent[],
  signal: AbortSignal,
): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/cloudevents-batch+json' };
  const response = await fetch(`${ingest}/events`, { method: 'POST', headers, body: JSON.stringify(events), signal });
  const answer = await response.text();
  if (response.status !== 202) throw new Error(`POST /events was answered ${response.status}: ${answer.slice(0, 300)}`);
}
