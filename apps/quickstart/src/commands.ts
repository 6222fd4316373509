import { ConfigError, StartError } from '@weir/service';
import { readOptions, usage } from './options';
import type { Parts } from './parts';

const EXIT_CONFIG = 78;

/**
 * Runs one command of the quick start and resolves with its exit code: `start` and `stop` are for people, `supervise`
 * is what `start` calls. Each loads what it needs and no more, for somebody waits for it. Errors that a person can do
 * something about are printed without a stack trace.
 *
 * @param file - the JavaScript file that was run, which `start` runs once more as the supervisor.
 */
export async function runCommand(
  parts: () => Promise<Parts>,
  file: string,
  process: NodeJS.Process,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const [command, ...args] = process.argv.slice(2);
  try {
    switch (command) {
      case 'start':
        return await (await import('./start.js')).start(readOptions(args), [file, 'supervise'], process, environment);
      case 'stop':
        if (args.length > 0) throw new StartError(`stop takes no arguments.\n${usage}`);
        return await (await import('./stop.js')).stop(process, environment);
      case 'supervise':
        return await (await import('./supervise.js')).supervise(readOptions(args), await parts(), process, environment);
      default:
        throw new StartError(usage);
    }
  } catch (error) {
    if (!(error instanceof StartError || error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof ConfigError ? EXIT_CONFIG : 1;
  }
}
