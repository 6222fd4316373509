import { checkEvent, createEvent } from '@weir/events';
import { isFlat, translate } from './clowder';
import type { Flat } from './clowder';

const CREATED = 1544177400123;
const TIME = '2018-12-07T10:10:00.123Z';
const six = {
  resource_id: '5c0a', resource_name: 'a.csv', author_id: '11', author_name: 'Ann', user_id: '22', user_name: 'Bob',
}; // prettier-ignore

function translated(flat: Flat) {
  expect(isFlat(flat)).toBe(true);
  const result = translate(flat, 'monitor');
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  const { type, data, time } = result.translated;
  const event = createEvent(type, data, { source: '/test', ...(time ? { time: new Date(time) } : {}) });
  expect(checkEvent(JSON.parse(JSON.stringify(event)))).toMatchObject({ ok: true });
  return result.translated;
}

describe("seed 003's flat events", () => {
  test.each<[string, Flat, string, object]>([
    ['a view', { category: 'view_resource', type: 'dataset', ...six }, 'io.weir.view', { resource: 'dataset/5c0a' }],
    ['a download', { category: 'download', type: 'file', size: 1024, ...six }, 'io.weir.download', { resource: 'file/5c0a', bytes: 1024 }],
    ['an upload, which has no type', { category: 'upload', user_id: '22', resource_name: 'a.csv', size: 7, dataset_id: '9' }, 'io.weir.storage', { action: 'uploaded', resource: 'file/a.csv', bytes: 7, dataset_id: '9' }],
    ['an extraction', { category: 'extraction', type: 'dataset', extractor_name: 'ncsa.image', ...six }, 'io.weir.extraction', { extractor: 'ncsa.image', resource: 'dataset/5c0a' }],
    ['an extraction by state', { category: 'extraction', type: 'queued', extractor_name: 'x' }, 'io.weir.extraction', { message: 'queued', extractor: 'x' }],
    ['a service that is down', { category: 'service_status', type: 'down', service_name: 'clowder' }, 'io.weir.outage', { service: 'clowder', state: 'down' }],
    ['a service that is back', { category: 'service_status', type: 'up', service_name: 'clowder' }, 'io.weir.outage', { service: 'clowder', state: 'up' }],
    ['a measured service', { category: 'service_status', type: 'ping', service_name: 'clowder', healthy: true, response_time_avg: 1.5 }, 'io.weir.health', { service: 'clowder', healthy: true, responseTimeMs: 1.5 }],
    ['a service in a state of its own', { category: 'service_status', type: 'degraded', service_name: 'x' }, 'io.weir.service_status.degraded', { service_name: 'x' }],
    ['a log-in', { category: 'user_activity', type: 'login', user_id: '22' }, 'io.weir.user_activity.login', { type: 'login' }],
    ['an archive', { category: 'archive', type: 'file', ...six }, 'io.weir.archive.file', { resource_id: '5c0a' }],
    ['a category named like a member of every object', { category: 'constructor', type: '__proto__' }, 'io.weir.constructor.__proto__', {}],
  ])('become events of the catalogue: %s', (_what, flat, type, data) => {
    const event = translated({ created: CREATED, ...flat });
    expect(event).toMatchObject({ type, time: TIME, data });
  }); // prettier-ignore

  test('have their user fields in data.user, and nothing twice', () => {
    const { data } = translated({
      category: 'download',
      type: 'file',
      created: CREATED,
      size: 5,
      user_email: 'b@org.example',
      ...six,
    });
    expect(data).toEqual({
      type: 'file', bytes: 5, resource: 'file/5c0a', resource_id: '5c0a', resource_name: 'a.csv', author_id: '11', author_name: 'Ann',
      user: { id: '22', name: 'Bob', email: 'b@org.example' },
    }); // prettier-ignore
  });

  test('name nobody for the anonymous user', () => {
    const flat = { category: 'view_resource', type: 'file', user_id: '0'.repeat(24), user_name: 'Anonymous' };
    expect(translated(flat).data).not.toHaveProperty('user');
  });

  test("keep a dataset's size, which counts its files, apart from bytes", () => {
    const { data } = translated({ category: 'download', type: 'dataset', size: 12 });
    expect(data).toMatchObject({ size: 12 });
    expect(data).not.toHaveProperty('bytes');
  });

  test.each<[unknown, string | undefined]>([
    [CREATED, TIME],
    [1544177400, '2018-12-07T10:10:00.000Z'],
    [1544177400.123, '2018-12-07T10:10:00.123Z'],
    ['1544177400123', TIME],
    ['2018-12-07T10:10:00.123Z', TIME],
    ['2018-12-07T11:10:00.123+01:00', '2018-12-07T11:10:00.123+01:00'],
    ['2018-12-07 10:10:00.123456', '2018-12-07T10:10:00.123456Z'],
    [undefined, undefined],
  ])('were created at %j', (created, time) => {
    expect(translated({ category: 'upload', created }).time).toBe(time);
  });

  test.each([['yesterday'], [true], [{}], [null], [Infinity]])('cannot have been created at %j', (created) => {
    expect(translate({ category: 'upload', created }, 'x')).toEqual({
      problems: [{ field: 'created', message: expect.stringContaining('epoch') as string }],
    });
  });

  test.each([
    [{ category: 7 }, 'category'],
    [{ category: 'x', type: {} }, 'type'],
    [{ category: '' }, 'category'],
  ])('must name what they are in words: %j', (flat, field) => {
    expect(translate(flat, 'x')).toMatchObject({ problems: [{ field }] });
  });
});

describe("seed 003's health monitor", () => {
  test('sends pings', () => {
    const ping_status = {
      healthy: true,
      response_time: { min: '0.05 ms', avg: '0.06 ms', max: '0.07 ms', loss: '0%' },
      uptime: 12345.6,
    };
    expect(translated({ ping_status })).toMatchObject({
      type: 'io.weir.health',
      data: { service: 'monitor', healthy: true, responseTimeMs: 0.06, uptime: 12345.6 },
    });
  });

  test('sends what it found on the home page', () => {
    expect(translated({ homepage_status: { success: false, bytes: 12345 }, service_name: 'clowder' })).toMatchObject({
      type: 'io.weir.health',
      data: { service: 'clowder', healthy: false, bytes: 12345 },
    });
  });
});
