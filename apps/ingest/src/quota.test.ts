import { parseKeys, type ApiKey } from './keys';
import { createQuota, type Quota } from './quota';
import { cloudEvent, sha256, startEdge } from './edge.test-support';

const MIB = 1024 * 1024;

function keysOf(text: string): ApiKey[] {
  return parseKeys(text).keys;
}
const [a, b, quick] = keysOf(`a:${sha256('a')},b:${sha256('b')},quick:${sha256('c')}:rate=1000`) as [ApiKey, ApiKey, ApiKey]; // prettier-ignore

function quotaOf({ eventsPerSecond = 0, spoolPercent = 50 }) {
  const state = { now: 0, spooledBytes: 0, ready: true as true | string };
  const quota = createQuota({
    eventsPerSecond, spoolPercent, spoolBytes: 64 * MIB, now: () => state.now,
    publisher: {
      ready: () => state.ready,
      depth: () => ({ inFlight: 0, spooledEvents: 0, spooledBytes: state.spooledBytes, oldestSpooledSeconds: 0 }),
    },
  }); // prettier-ignore
  return { quota, state };
}

/** Lets a request in; gives what to call when its events are kept. */
function begun(quota: Quota, key: ApiKey, request: { events: number; bytes: number }): (spooled: number) => void {
  const counted = quota.begin(key, request);
  if (typeof counted !== 'function') throw new Error(`has to wait: ${counted.limit}`);
  return counted;
}

describe('the rate of a key', () => {
  test('lets a burst through, then what it allows on average, and tells how long to wait', () => {
    const { quota, state } = quotaOf({ eventsPerSecond: 10 });
    begun(quota, a, { events: 60, bytes: 1 })(0);
    expect(quota.wait(a)).toBeUndefined();
    begun(quota, a, { events: 240, bytes: 1 })(0); // begun with something left, it is let in whole, and worked off
    expect(quota.wait(a)).toEqual({ seconds: 21, limit: 'this key may send 10 events a second' });
    expect(quota.begin(a, { events: 1, bytes: 1 })).toMatchObject({ seconds: 21 });
    state.now += 20_099;
    expect(quota.wait(a)).toMatchObject({ seconds: 1 });
    state.now += 1;
    expect(quota.wait(a)).toBeUndefined();
  });

  test('is its own: another key does not wait for it, and `rate=` stands in place of the common one', () => {
    const { quota } = quotaOf({ eventsPerSecond: 10 });
    begun(quota, a, { events: 1000, bytes: 1 })(0);
    expect(quota.wait(a)).toBeDefined();
    expect(quota.wait(b)).toBeUndefined();
    begun(quota, quick, { events: 9999, bytes: 1 })(0);
    expect(quota.wait(quick)).toBeUndefined();
  });

  test('silence saves up one burst, not more', () => {
    const { quota, state } = quotaOf({ eventsPerSecond: 10 });
    state.now += 1_000_000;
    begun(quota, a, { events: 100, bytes: 1 })(0);
    expect(quota.wait(a)).toMatchObject({ seconds: 1 });
  });
});

describe('the share of the spool', () => {
  const fill = (quota: Quota, state: { spooledBytes: number }, key: ApiKey, bytes: number) => {
    const settle = begun(quota, key, { events: 1, bytes });
    state.spooledBytes += bytes;
    settle(bytes);
  };

  test('is what a key cannot go beyond, while the others still can', () => {
    const { quota, state } = quotaOf({});
    state.ready = 'the broker is away';
    for (let n = 0; n < 32; n += 1) fill(quota, state, a, MIB);
    expect(quota.begin(a, { events: 1, bytes: 1 })).toMatchObject({ limit: expect.stringContaining('50 %') as string });
    for (let n = 0; n < 32; n += 1) fill(quota, state, b, MIB);
    expect(quota.wait(b)).toBeDefined();
  });

  test('counts what is on its way, so that many requests at one time are no way around it', () => {
    const { quota, state } = quotaOf({});
    state.ready = 'the broker is away';
    const onTheirWay = Array.from({ length: 32 }, () => begun(quota, a, { events: 1, bytes: MIB }));
    expect(quota.wait(a)).toBeDefined();
    for (const settle of onTheirWay) settle(0);
    expect(quota.wait(a)).toBeUndefined();
  });

  test('comes back as the spool is drained, oldest first, whoever else is in it', () => {
    const { quota, state } = quotaOf({});
    state.ready = 'the broker is away';
    state.spooledBytes = 5 * MIB; // of an earlier process: nobody's, and first to leave
    for (let n = 0; n < 32; n += 1) fill(quota, state, a, MIB);
    for (let n = 0; n < 10; n += 1) fill(quota, state, b, MIB);
    state.spooledBytes -= 5 * MIB;
    expect(quota.wait(a)).toBeDefined();
    state.spooledBytes -= 4 * MIB;
    begun(quota, a, { events: 1, bytes: 3 * MIB })(0);
    state.spooledBytes = 0;
    state.ready = true;
    begun(quota, a, { events: 1, bytes: 60 * MIB })(0);
  });

  test("is nobody's concern while the broker takes everything", () => {
    const { quota } = quotaOf({});
    begun(quota, a, { events: 1, bytes: 63 * MIB })(0);
    expect(quota.wait(a)).toBeUndefined();
  });
});

describe('over HTTP', () => {
  const KEYS = `test:${sha256('secret')},other:${sha256('other')},slow:${sha256('slow')}:rate=1`;
  const other = { authorization: 'Bearer other' };

  test('a key that floods the spool is answered 429 with Retry-After, and another one is still taken', async () => {
    const edge = await startEdge({ keys: KEYS });
    edge.publisher.answer(() => 'spooled');
    const big = cloudEvent({ data: { repository: 'a', note: 'x'.repeat(50_000) } });
    const statuses: number[] = [];
    for (let n = 0; n < 15; n += 1) statuses.push((await edge.post(big)).status);
    expect([...new Set(statuses)]).toEqual([202, 429]);
    expect(edge.publisher.depth().spooledBytes).toBeLessThanOrEqual(MIB / 2);
    const reply = await edge.post(big);
    expect(reply).toMatchObject({
      status: 429,
      json: { detail: expect.stringContaining('50 % of the spool') as string },
    });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await edge.post(big, other)).toMatchObject({ status: 202 });

    edge.publisher.drain(MIB);
    expect(await edge.post(big)).toMatchObject({ status: 202 });
    await edge.close();
  });

  test('a key over its rate is refused before its body is read, and the others are not', async () => {
    const edge = await startEdge({ keys: KEYS });
    const slow = { authorization: 'Bearer slow' };
    expect(
      await edge.post(
        Array.from({ length: 100 }, () => cloudEvent()),
        slow,
      ),
    ).toMatchObject({ status: 202 });
    const reply = await edge.post('this is not even JSON', slow);
    expect(reply).toMatchObject({
      status: 429,
      json: { detail: expect.stringContaining('1 events a second') as string },
    });
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(80);
    expect(await edge.post(cloudEvent(), other)).toMatchObject({ status: 202 });
    await edge.close();
  });
});

describe('the organizations of a key', () => {
  const of = (organization: string) => cloudEvent({ data: { repository: 'a', user: { organization } } });

  test('that are not its own are refused, by whichever field they are named (S19)', async () => {
    const edge = await startEdge({ keys: `a:${sha256('secret')}:organization=acme.example` });
    const spellings = [{ organization: 'ACME.example' }, { email: 'x@Acme.example' }, undefined];
    for (const user of spellings) {
      expect(await edge.post(cloudEvent({ data: { repository: 'a', user } }))).toMatchObject({ status: 202 });
    }
    for (const user of [
      { organization: 'evil' },
      { email: 'x@evil.example' },
      { organization: 'evil', email: 'x@acme.example' },
    ]) {
      // prettier-ignore
      expect(await edge.post(cloudEvent({ data: { repository: 'a', user } }))).toMatchObject({
        status: 403,
        json: { errors: [{ field: 'data.user', message: 'this key may only send for acme.example' }] },
      });
    }
    const mixed = await edge.post([of('evil'), of('acme.example')]);
    expect(mixed.json.results).toMatchObject([{ problem: { status: 403 } }, { status: 'confirmed' }]);
    await edge.close();
  });

  test('are so many in an hour and no more: what is beyond is refused by name, the rest goes on (S32)', async () => {
    const edge = await startEdge({ organizations: 3 });
    const batch = await edge.post(['a', 'b', 'c', 'd', 'A ', 'e'].map(of));
    expect(batch.json.results?.map((each) => each['problem'] ?? each['status'])).toMatchObject([
      'confirmed', 'confirmed', 'confirmed', { status: 429 }, 'confirmed', { status: 429 },
    ]); // prettier-ignore
    const reply = await edge.post(of('f'));
    expect(reply).toMatchObject({
      status: 429, json: { errors: [{ field: 'data.user', message: expect.stringContaining('INGEST_KEY_ORGANIZATIONS') as string }] },
    }); // prettier-ignore
    expect(Number(reply.headers.get('retry-after'))).toBeLessThanOrEqual(3600);
    expect(await edge.post(cloudEvent())).toMatchObject({ status: 202 });
    expect(await edge.post({ ...of('g'), source: '/ci/x' }, { authorization: 'Bearer ci-secret' })).toMatchObject({ status: 202 }); // prettier-ignore
    expect(await edge.metrics.metrics()).toContain('weir_ingest_events_total{key="test",result="limited"} 3');
    await edge.close();
  });
});
