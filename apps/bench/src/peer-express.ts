import type { AddressInfo } from 'node:net';
import express from 'express';

/** What a handler of Express does that takes a batch of events without looking at them: JSON read, 202. Prints its port. */
const app = express();
app.use(express.json({ type: 'application/cloudevents-batch+json', limit: '1mb' }));
app.post('/events', (request, response) => {
  response.status(202).json({ accepted: (request.body as unknown[]).length });
});
const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
