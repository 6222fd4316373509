import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What is posted: one of the bodies after the other, by as many clients as one likes, for a while. */
export interface Load {
  /** @returns requests a second. @throws Error when an answer was not 202 */
  post(url: string, how: { clients: number; seconds: number }): Promise<number>;
}

/** wrk with a script: a load generator that costs the two cores little. */
export async function createLoad(options: {
  dir: string;
  path: string;
  /** None with a line break in it. */
  bodies: readonly string[];
  headers: Readonly<Record<string, string>>;
}): Promise<Load> {
  const { dir, path, bodies, headers } = options;
  const [script, lines] = [join(dir, 'post.lua'), join(dir, 'bodies')];
  await writeFile(lines, bodies.map((body) => `${body}\n`).join(''));
  await writeFile(script, scriptOf(lines, headers));
  return {
    async post(url, { clients, seconds }) {
      const args = [
        '--threads',
        '1',
        '--connections',
        String(clients),
        '--duration',
        `${seconds}s`,
        '--script',
        script,
      ];
      const { stdout } = await run('wrk', [...args, url], { env: { PATH: path }, timeout: (seconds + 30) * 1000 });
      if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`not every POST was answered 202:\n${stdout}`);
      return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
    },
  };
}

function scriptOf(lines: string, headers: Readonly<Record<string, string>>): string {
  return `
local bodies = {}
for line in io.lines(${JSON.stringify(lines)}) do bodies[#bodies + 1] = line end
wrk.method = "POST"
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
  .join('\n')}
local n = 0
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil, bodies[n % #bodies + 1])
end
`;
}
