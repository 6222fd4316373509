import { readConfig } from '@weir/service';
import { folderAt } from './folder';
import { isSupervised, readRun } from './run-file';
import { variables } from './settings';
import { takeDown } from './take-down';

/** `npm stop`: takes down what runs, or what a run has left behind. Resolves with the exit code. */
export async function stop(process: NodeJS.Process, environment: NodeJS.ProcessEnv): Promise<number> {
  const folder = folderAt(readConfig(variables, environment).WEIR_HOME);
  const run = readRun(folder);
  if (!run) {
    process.stdout.write(`Nothing runs in ${folder.root}.\n`);
    return 0;
  }
  const supervised = isSupervised(run);
  process.stdout.write(supervised ? 'Stopping …\n' : 'The supervisor is gone; ending what it has left behind …\n');
  const begun = performance.now();
  const ended = await takeDown(folder, run);
  if (ended.length > 0) process.stdout.write(`Ended ${ended.join(', ')}.\n`);
  process.stdout.write(`Everything is stopped (${((performance.now() - begun) / 1000).toFixed(1)} s).\n`);
  return 0;
}
