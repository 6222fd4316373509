/** Compiles every project; only what changed is compiled again. */
import { join } from 'node:path';
import process from 'node:process';
import { StepError, root, runProgram, step } from './steps.mjs';

/** Runs `tsc --build`; the compiler's messages are the error. */
export async function build() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await step('Building', async () => {
    const { code, output } = await runProgram(process.execPath, [tsc, '--build'], { capture: true });
    if (code !== 0) throw new StepError(`The build failed:\n${output.trimEnd()}`);
  });
}
