import { Registry } from 'prom-client';
import { createHealth, readyMetric } from './health';

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

test('each check is a series of weir_ready, of one that fails too', async () => {
  const health = createHealth();
  const metrics = new Registry();
  readyMetric(metrics, health.readiness);
  health.check('store', () => true);
  let broker: true | string = 'not connected';
  health.check('broker', () => broker);
  const shown = async () => (await metrics.metrics()).split('\n').filter((line) => line.startsWith('weir_ready'));
  expect(await shown()).toEqual(['weir_ready{check="store"} 1', 'weir_ready{check="broker"} 0']);
  broker = true;
  expect(await shown()).toContain('weir_ready{check="broker"} 1');
});

test('what an app can go without is told, and leaves it ready', async () => {
  const health = createHealth();
  const metrics = new Registry();
  readyMetric(metrics, health.readiness);
  health.check('disk', () => true);
  health.tell('broker', () => 'not connected');
  expect(await health.readiness()).toEqual({ ready: true, checks: { disk: true, broker: 'not connected' } });
  expect(await metrics.metrics()).toContain('weir_ready{check="broker"} 0');
});
