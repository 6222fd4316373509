import { catalogue, createEvent, identityKey } from '@weir/events';
import type { WeirEvent } from '@weir/events';
import { pointOf, seriesOf, TAGS, tagValue } from './point';
import type { Point } from './point';

const from = { source: 'weir/gateway', id: '0193', time: new Date('2026-11-23T06:54:00.123Z') };
const event = (type: string, data: object): WeirEvent => createEvent(type, data, from) as WeirEvent;
const lineFor = (type: string, data: object): string => {
  const point = pointOf(event(type, data));
  return `${seriesOf(point.measurement, point.series.tags)} ${point.fields} `;
};
const fieldsOf = ({ fields }: Point): string[] =>
  [...fields.matchAll(/(\w+)=(?:"(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, name = '']) => name);
const identity = identityKey(from);

test('a pull: few tags, everything unbounded in fields', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const data = {
    repository: 'library/alpine',
    tag: '3.20',
    digest,
    platform: 'linux/arm64/v8',
    user: { email: 'someone@Example.COM' },
    fusion: true,
    bytes: 3_623_807,
    client: { name: 'docker', version: '27.1.1' },
  };
  expect(lineFor('io.weir.pull', data)).toBe(
    'pull,architecture=arm64,client=docker,fusion=true,organization=example.com,os=linux,source=weir/gateway ' +
      `identity="${identity}",id="0193",repository="library/alpine",tag="3.20",digest="${digest}",` +
      'platforms="linux/arm64/v8",clientVersion="27.1.1",bytes=3623807 ',
  );
});

const asked = {
  repository: 'charts/app',
  kind: 'helm-chart',
  artifactType: 'application/vnd.cncf.helm.config.v1+json',
  source: { day: 'pseudonym-of-the-day', month: 'abc123' },
  country: 'DE',
  network: { name: 'Example, Inc.', asn: 64_500, cloud: 'aws' },
  pattern: 'development',
};

test('who asked: small sets are tags, the name of the network is a field', () => {
  expect(lineFor('io.weir.pull', asked)).toBe(
    'pull,cloud=aws,country=DE,kind=helm-chart,pattern=development,source=weir/gateway ' +
      `identity="${identity}",id="0193",repository="charts/app",` +
      'artifactType="application/vnd.cncf.helm.config.v1+json",network="Example, Inc.",asn=64500 ',
  );
});

test.each(['io.weir.pull', 'io.weir.download', 'com.example.other'])('no pseudonym of a source is in a point of %s', (type) => {
  const line = lineFor(type, asked);
  expect(line).toContain('source=weir/gateway');
  for (const pseudonym of Object.values(asked.source)) expect(line).not.toContain(pseudonym);
}); // prettier-ignore

test('a country and a pattern that are none are left out, whatever type says so', () => {
  expect(lineFor('com.example.other', { country: 'Germany', pattern: 'anything', network: null })).toBe(
    `other,source=weir/gateway,type=com.example.other identity="${identity}",id="0193" `,
  );
});

test('a download of a pull names it', () => {
  expect(lineFor('io.weir.download', { repository: 'a', pull: '0192', layers: 3, bytes: 1000 })).toBe(
    `download,source=weir/gateway identity="${identity}",id="0193",repository="a",pull="0192",bytes=1000,layers=3 `,
  );
});

test('an anonymous pull of which little is known', () => {
  expect(lineFor('io.weir.pull', { repository: 'a' })).toBe(
    `pull,source=weir/gateway identity="${identity}",id="0193",repository="a" `,
  );
});

test('a build of several platforms is one point, with the platforms in a field', () => {
  expect(
    lineFor('io.weir.build', { repository: 'a', platforms: ['linux/amd64', 'linux/arm64', 'linux/arm64/v8'] }),
  ).toBe(
    'build,architecture=multiple,os=linux,source=weir/gateway ' +
      `identity="${identity}",id="0193",repository="a",platforms="linux/amd64,linux/arm64,linux/arm64/v8" `,
  );
});

test('how a build ended', () => {
  const data = { repository: 'a', platform: 'windows(10.0.17763)/amd64', outcome: 'timed-out', durationMs: 1500.5 };
  expect(lineFor('io.weir.build.finished', data)).toBe(
    'build_finished,architecture=amd64,os=windows,outcome=timed-out,source=weir/gateway ' +
      `identity="${identity}",id="0193",repository="a",platforms="windows(10.0.17763)/amd64",durationMs=1500.5 `,
  );
});

test('health, of a service', () => {
  expect(lineFor('io.weir.health', { service: 'registry', healthy: false, responseTimeMs: 12.5, queueLength: 3 })).toBe(
    `health,service=registry,source=weir/gateway identity="${identity}",id="0193",responseTimeMs=12.5,queueLength=3,healthy=false `,
  );
});

test('an outage, with why and how many events waited', () => {
  const data = { service: 'weir/ingest', state: 'down', outage: '0192', reason: 'spooled', events: 7 };
  expect(lineFor('io.weir.outage', data)).toBe(
    `outage,service=weir/ingest,source=weir/gateway,state=down identity="${identity}",id="0193",reason="spooled",events=7 `,
  );
});

test('a type that is not in the catalogue is counted under `other` with its type as a tag', () => {
  expect(lineFor('com.example.made up', { bytes: 'many' })).toBe(
    `other,source=weir/gateway,type=com.example.made\\ up identity="${identity}",id="0193" `,
  );
});

test('each kind of the catalogue has a measurement of its own', () => {
  const measurements = catalogue.map(({ type, example }) => pointOf(event(type, example)).measurement);
  expect(new Set(measurements).size).toBe(catalogue.length);
  expect(measurements).not.toContain('other');
});

test('no name is a tag here and a field there', () => {
  const fields = catalogue.flatMap(({ type, example }) => fieldsOf(pointOf(event(type, example))));
  expect(fields.filter((name) => (TAGS as readonly string[]).includes(name))).toEqual([]);
});

test('the preferred slot rests on the identity alone', () => {
  const slots = Array.from({ length: 1000 }, (_, n) => pointOf({ ...event('x', {}), id: `${n}` }).preferredSlot);
  expect(Math.min(...slots)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...slots)).toBeLessThan(1_000_000);
  expect(new Set(slots).size).toBeGreaterThan(990);
  expect(pointOf(event('y', { a: 1 })).preferredSlot).toBe(pointOf(event('x', {})).preferredSlot);
});

test.each([
  ['a b,c=d', 'm,os=a\\ b\\,c\\=d'],
  ['end\\', 'm,os=end/'],
  ['a\\,b', 'm,os=a/\\,b'],
  ['a\nm,os=x v=1', 'm,os=a_m\\,os\\=x\\ v\\=1'],
  ['#', 'm,os=#'],
  ['"', 'm,os="'],
])('the tag %j is written so that it stays one tag', (value, series) => {
  expect(seriesOf('m', [['os', tagValue(value) ?? '']])).toBe(series);
});

test.each(['', '   ', '\n', null, 3, {}])('%j is no tag', (value) => {
  expect(tagValue(value)).toBeUndefined();
});

test('texts are cut to what a tag and a field may hold', () => {
  expect(tagValue('x'.repeat(5000))).toHaveLength(255);
  const { fields } = pointOf(event('x', { resource: 'y'.repeat(5000) }));
  expect(fields).toContain(`,resource="${'y'.repeat(1024)}"`);
});
