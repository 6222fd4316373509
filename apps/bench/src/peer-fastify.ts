import fastify from 'fastify';

/** What a handler of Fastify does that takes a batch of events without looking at them: JSON read, 202. Prints its port. */
const app = fastify();
const json = app.getDefaultJsonParser('error', 'error');
app.addContentTypeParser('application/cloudevents-batch+json', { parseAs: 'string' }, json);
app.post('/events', (request, reply) => reply.code(202).send({ accepted: (request.body as unknown[]).length }));
void app.listen({ port: 0, host: '127.0.0.1' }).then((url) => process.stdout.write(`${new URL(url).port}\n`));
