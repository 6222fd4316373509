/** Compiles every project; only what changed is compiled again, and the compiler is not even asked when nothing has. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { StepError, root, runProgram, step } from './steps.mjs';

/** Its time is that of the last build; in node_modules, so that it goes when the packages go. */
const stamp = join(root, 'node_modules', '.cache', 'weir', 'built');

/** Runs `tsc --build`; the compiler's messages are the error. */
export async function build() {
  if (isFresh()) return;
  const begun = new Date();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await step('Building', async () => {
    const { code, output } = await runProgram(process.execPath, [tsc, '--build'], { capture: true });
    if (code !== 0) throw new StepError(`The build failed:\n${output.trimEnd()}`);
  });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${begun.toISOString()}\n`);
}

function isFresh() {
  if (!existsSync(stamp)) return false;
  const built = statSync(stamp).mtimeMs;
  const projects = ['libs', 'apps'].flatMap((kind) =>
    readdirSync(join(root, kind)).map((name) => join(root, kind, name)),
  );
  if (projects.some((project) => !existsSync(join(project, 'dist')))) return false;
  const sources = ['package-lock.json', 'tsconfig.json', 'tsconfig.base.json', 'examples'].map((name) =>
    join(root, name),
  );
  const all = [...sources, ...projects.flatMap((project) => [join(project, 'src'), join(project, 'tsconfig.json')])];
  return all.every((path) => newest(path) < built);
}

/** When a file, or anything in a folder, was last changed (a file that went changes its folder). */
function newest(path) {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  const inside = readdirSync(path).filter((name) => name !== 'dist' && name !== 'node_modules');
  return Math.max(mtimeMs, ...inside.map((name) => newest(join(path, name))));
}
