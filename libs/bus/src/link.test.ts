import { createServer, type AddressInfo } from 'node:net';
import { isolated } from '@weir/testing';
import pino from 'pino';
import { keepConnected } from './index';

const log = pino({ level: 'silent' });

test('closing while it connects closes', async () => {
  const { url, remove } = await isolated.amqp();
  const setups: string[] = [];
  const link = keepConnected({ url, name: 'test', log, setup: async () => void setups.push('set up') });
  await link.close();
  expect(setups).toEqual([]);
  expect(link.state()).not.toBe(true);
  await remove();
});

test('a peer that takes connections and never talks is a state, not a hang', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const link = keepConnected({ url: `amqp://127.0.0.1:${port}`, name: 'test', log, setup: async () => {} });
  expect(link.state()).not.toBe(true);
  await link.close();
  silent.close();
});
