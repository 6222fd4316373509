import { connect } from 'amqplib';

/** The queues of the workers that every Weir has. */
const QUEUES = ['weir.redis', 'weir.influx', 'weir.mongo'];

/** How many messages wait for workers, over all of them, past every proxy. */
export async function messagesIn(amqp: string): Promise<number> {
  const connection = await connect(amqp, { timeout: 5_000 });
  connection.on('error', () => {});
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    let messages = 0;
    for (const queue of QUEUES) messages += (await channel.checkQueue(queue)).messageCount;
    return messages;
  } finally {
    await connection.close().catch(() => {});
  }
}
