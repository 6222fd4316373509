import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRecorder, createTrace } from './recorder';

test('everything passes as it is, and is written down', async () => {
  const body = Buffer.alloc(300_000, 'layer');
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers['host'], request.headers['authorization']);
    response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const trace = createTrace();
  const recorder = await createRecorder('storage', '127.0.0.1', () => (server.address() as AddressInfo).port, trace);

  const answer = await fetch(`http://${recorder.host}/v2/a/blobs/b`, { headers: { authorization: 'Basic x' } });
  const received = Buffer.from(await answer.arrayBuffer());
  await recorder.close();
  await new Promise((resolve) => server.close(resolve));

  expect(received.equals(body)).toBe(true);
  expect(seen).toEqual([recorder.host, 'Basic x']);
  const request = { method: 'GET', target: '/v2/a/blobs/b', credentials: ['authorization'], status: 200 };
  expect(trace.take()).toMatchObject([{ where: 'storage', request }]);
  expect(trace.take()).toEqual([]);
});
