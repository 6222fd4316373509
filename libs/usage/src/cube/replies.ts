import type { ChainableCommander, Redis } from 'ioredis';

type Command = readonly (string | number)[];

/** Sends commands together. @throws Error the first one that a command failed with, or when Redis does not answer */
export async function sendAll(redis: Redis, commands: readonly Command[]): Promise<unknown[]> {
  return commands.length === 0 ? [] : repliesOf(redis.pipeline(copyOf(commands)));
}

/** … as one transaction: all of them happen, at one moment, or none. */
export async function sendAsOne(redis: Redis, commands: readonly Command[]): Promise<unknown[]> {
  return repliesOf(redis.multi(copyOf(commands)));
}

async function repliesOf(sent: ChainableCommander): Promise<unknown[]> {
  return ((await sent.exec()) ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

const copyOf = (commands: readonly Command[]) => commands.map((command) => [...command]);
