import { createHealth } from './health';

test('ready only when every check is, and each check is named', async () => {
  const health = createHealth();
  health.check('store', () => true);
  expect(await health.readiness()).toEqual({ ready: true, checks: { store: true } });
  health.check('broker', () => 'not connected');
  health.check('disk', () => {
    throw new Error('read-only');
  });
  expect(await health.readiness()).toEqual({
    ready: false,
    checks: { store: true, broker: 'not connected', disk: 'read-only' },
  });
});

test('a probe that never answers counts as not ready', async () => {
  const health = createHealth();
  health.check('store', () => new Promise<true>(() => {}));
  const { ready, checks } = await health.readiness();
  expect([ready, checks['store']]).toEqual([false, expect.stringContaining('no answer') as string]);
});

test('draining is not ready, whatever the checks say', async () => {
  const health = createHealth();
  health.drain();
  expect((await health.readiness()).ready).toBe(false);
});
