import { connect } from 'amqplib';
import { Redis } from 'ioredis';
import { MongoClient } from 'mongodb';
import { isolated, testServers } from './test-servers';

describe('the servers that a test run shares', () => {
  it('are the same for everyone who asks', async () => {
    expect(await testServers().redis()).toBe(await testServers().redis());
    expect((await fetch(`${await testServers().registry()}/v2/`)).status).toBe(200);
  });

  it('give each test an empty virtual host', async () => {
    const [one, two] = await Promise.all([isolated.amqp(), isolated.amqp()]);
    expect(one.url).not.toBe(two.url);
    const connection = await connect(one.url);
    const channel = await connection.createChannel();
    await channel.assertQueue('mine', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await connection.close();
    const other = await connect(two.url);
    other.on('error', () => {});
    const elsewhere = await other.createChannel();
    elsewhere.on('error', () => {});
    await expect(elsewhere.checkQueue('mine')).rejects.toThrow(/NOT_FOUND/);
    await other.close();
    await Promise.all([one.remove(), two.remove()]);
    await expect(connect(one.url)).rejects.toThrow(/ConnectionClose/);
  });

  it('give each test an empty Redis database', async () => {
    const [one, two] = await Promise.all([isolated.redis(), isolated.redis()]);
    const [a, b] = [new Redis(one.url), new Redis(two.url)];
    await a.set('key', 'of one');
    expect(await b.get('key')).toBeNull();
    await one.remove();
    expect(await a.get('key')).toBeNull();
    a.disconnect();
    b.disconnect();
  });

  it('give each test an InfluxDB database', async () => {
    const { url, database, remove } = await isolated.influx();
    const { origin, username, password } = new URL(url);
    const write = () =>
      fetch(`${origin}/write?db=${database}&u=${username}&p=${password}`, { method: 'POST', body: 'pull count=1i' });
    expect((await write()).status).toBe(204);
    await remove();
    expect((await write()).status).toBe(404);
  });

  it('give each test a MongoDB database', async () => {
    const { url, database, remove } = await isolated.mongodb();
    const client = await MongoClient.connect(url);
    const events = client.db(database).collection('events');
    await events.insertOne({ type: 'pull' });
    expect(await events.countDocuments()).toBe(1);
    await remove();
    expect(await events.countDocuments()).toBe(0);
    await client.close();
  });
});
