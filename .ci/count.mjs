/**
 * Prints `N passed, N failed` from jest's own results and exits non-zero unless all is well:
 * `node count.mjs <results.json> <exit code of npm test>`. A test file that could not even be loaded is one failure, and
 * so is a run that gave no results at all.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';

const [file, exitCode] = process.argv.slice(2);
const results = read(file);
const passed = results?.numPassedTests ?? 0;
const broken = (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0);
const skipped = (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0);
const wrong = exitCode !== '0' || passed === 0;
const failed = broken === 0 && wrong ? 1 : broken;

process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 ? 1 : 0;

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
