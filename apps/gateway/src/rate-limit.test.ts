import { ask, errorOf, scriptedUpstream, startTestGateway } from './gateway.test-support';
import { createRateLimit } from './rate-limit';

describe('a bucket', () => {
  const limit = (perSecond: number, burst: number) => {
    const clock = { now: 0 };
    return { ...createRateLimit({ perSecond, burst, now: () => clock.now }), clock };
  };
  const takes = (rate: ReturnType<typeof limit>, address: string, times: number) =>
    Array.from({ length: times }, () => rate.wait(address)).filter((seconds) => seconds === undefined).length;

  test('holds the burst, and fills at the rate', () => {
    const rate = limit(2, 5);
    expect(takes(rate, '192.0.2.1', 9)).toBe(5);
    expect(rate.wait('192.0.2.1')).toBe(1);
    rate.clock.now = 1_500;
    expect(takes(rate, '192.0.2.1', 9)).toBe(3);
    rate.clock.now = 1_000_000;
    expect(takes(rate, '192.0.2.1', 9)).toBe(5);
  });

  test('says how long to wait, in whole seconds', () => {
    const rate = limit(0.25, 1);
    expect([rate.wait('a'), rate.wait('a')]).toEqual([undefined, 4]);
    rate.clock.now = 3_999;
    expect(rate.wait('a')).toBe(1);
    rate.clock.now = 4_000;
    expect(rate.wait('a')).toBeUndefined();
  });

  test('is one for each source', () => {
    const rate = limit(1, 1);
    for (const seconds of [undefined, 1])
      for (const source of ['192.0.2.1', '192.0.2.2', '2001:db8:0:1::/64', '2001:db8:0:2::/64'])
        expect(rate.wait(source)).toBe(seconds);
  });

  test('of sources that came long ago is forgotten, so that memory is bounded', () => {
    const rate = limit(1, 1);
    rate.wait('first');
    for (let source = 0; source < 50_000; source += 1) rate.wait(String(source));
    expect(rate.wait('first')).toBeUndefined();
    expect(rate.wait('49999')).toBe(1);
  });

  test('without a rate lets everything through', () => expect(takes(limit(0, 1), 'a', 1_000)).toBe(1_000));
});

describe('the limit of requests of one source (S15)', () => {
  test('is answered 429 in the shape of the registry on every path, reaches no upstream and counts as nothing', async () => {
    let asked = 0;
    const upstream = await scriptedUpstream((_, response) => {
      asked += 1;
      response.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end('{}');
    });
    const gateway = await startTestGateway(
      { upstream: upstream.url, mode: 'proxy' },
      { RATE_LIMIT_PER_SECOND: '0.001', RATE_LIMIT_BURST: '1' },
    );
    expect((await ask(gateway.url, '/v2/')).status).toBe(200);
    const paths = [
      '/v2/',
      '/v2/a/manifests/v1',
      `/v2/a/blobs/sha256:${'ab'.repeat(32)}`,
      '/v2/a/tags/list',
      '/nonsense',
    ];
    for (const [n, path] of paths.entries()) {
      const headers = { 'x-forwarded-for': `192.0.2.${n}`, forwarded: `for=192.0.2.${n}`, 'x-real-ip': `192.0.2.${n}` };
      const answer = await ask(gateway.url, path, { headers });
      expect([path, answer.status]).toEqual([path, 429]);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(900);
      expect(errorOf(answer.body)).toMatchObject([{ code: 'TOOMANYREQUESTS' }]);
    }
    const events = await gateway.events();
    await gateway.stop();
    await upstream.stop();
    expect(asked).toBe(1);
    expect(events).toEqual([]);
  });

  test('is not set by default', async () => {
    const upstream = await scriptedUpstream((_, response) => void response.end('{}'));
    const gateway = await startTestGateway({ upstream: upstream.url });
    const answers = await Promise.all(Array.from({ length: 600 }, () => ask(gateway.url, '/nonsense')));
    await gateway.stop();
    await upstream.stop();
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([404]));
  });
});
