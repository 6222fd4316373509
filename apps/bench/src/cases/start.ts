import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Case } from '../case';
import { measured } from '../measure';
import { alone, atMost } from '../row';

const run = promisify(execFile);
const WEIR = join(__dirname, '../../../../weir.mjs');

/** The quick start once more, with its servers and every app: what somebody waits for who has started it before. */
export const start: Case = {
  name: 'start',
  async run({ dir, rounds, path, onEnd, progress }) {
    const anyPort = { GATEWAY_PORT: '0', INGEST_PORT: '0', BUILD_SERVICE_PORT: '0', STATS_PORT: '0' };
    const env = { PATH: path, HOME: dir, WEIR_HOME: join(dir, 'weir'), ...anyPort };
    const weir = (...args: string[]) => run(process.execPath, [WEIR, ...args], { env, timeout: 180_000 });
    const up = async (): Promise<number> => {
      const from = performance.now();
      await weir('start', '--detach', '--yes');
      return (performance.now() - from) / 1000;
    };
    onEnd(() => weir('stop'));

    progress('the first start, which makes everything');
    const first = await up();
    const again: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      progress(`round ${round} of ${rounds}: started again`);
      await weir('stop');
      again.push(await up());
    }
    return [
      alone({ name: 'warm start of the whole system to ready', unit: 's', value: measured(again), target: atMost(10) }),
      alone({ name: 'first start, everything installed', unit: 's', value: measured([first]) }),
    ];
  },
};
