import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { System } from './system';

const run = promisify(execFile);
const CLI = join(__dirname, '../../cli/bin/weir.js');

/**
 * Runs `weir` as an operator would, past every proxy; resolves with what it printed.
 *
 * @throws when it ends with another exit code than 0, with what it said.
 */
export async function weir({ direct, dir }: System, ...args: string[]): Promise<string> {
  const env = {
    HOME: dir,
    AMQP_URL: direct.amqp,
    REDIS_URL: direct.redis,
    INFLUX_URL: direct.influx,
    INFLUX_DATABASE: direct.influxDatabase,
    MONGODB_URL: direct.mongodb,
    MONGODB_DATABASE: direct.mongoDatabase,
  };
  try {
    const options = { env, cwd: dir, timeout: 300_000, maxBuffer: 64 * 1024 ** 2 };
    return (await run(process.execPath, [CLI, ...args], options)).stdout;
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`weir ${args.join(' ')}: ${stderr.trim() || message}`, { cause: error });
  }
}
