import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isolated, temporaryDirectory } from '@weir/testing';
import { clean } from './io';
import { weirDone } from './io.test-support';

/** Nothing listens there: port 1 is tcpmux. */
const NOBODY = 'amqp://user:hunter2@127.0.0.1:1';

describe('weir', () => {
  test.each([
    [['--help']],
    [['publish', '--help']],
    [['tail', '--help']],
    [['topology', '--help']],
    [['dead-letters', 'list', '--help']],
    [['verify', '--help']],
    [['rebuild', '--help']],
    [['replay', '--help']],
  ])('shows how it is used, with examples: %j', async (args) => {
    const { code, stdout } = await weirDone(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Usage: weir/);
    expect(stdout).toMatch(/Examples:\n {2}/);
  });

  test('documents its exit codes', async () => {
    const { stdout } = await weirDone(['--help']);
    for (const code of [0, 1, 2, 69, 78]) expect(stdout).toMatch(new RegExp(`^ {2}${code} +\\S`, 'm'));
  });

  test.each([
    [['frobnicate'], /unknown command/],
    [['tail', '--nonsense'], /unknown option/],
    [['publish', 'pull'], /required option '-d, --data <json>'/],
    [['dead-letters', 'list', '--limit', '0'], /It must be a number from 1/],
    [['tail', '--count', 'many'], /number from 1/],
  ])('says in a line what is wrong with %j, exit code 2', async (args, message) => {
    const { code, stdout, stderr } = await weirDone(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(2); // commander may add "(Did you mean …?)"
  });

  test.each([[['tail']], [['topology']], [['dead-letters', 'list']], [['publish', 'view', '-d', '{}']]])(
    'says what to do when it knows no broker, exit code 78: %j',
    async (args) => {
      const dir = await temporaryDirectory();
      expect(await weirDone(args, { cwd: dir.path })).toEqual({
        code: 78,
        stdout: '',
        stderr:
          'weir: no address of the broker: set AMQP_URL, or run this where `npm start` was run (.weir/endpoints.json is there)\n',
      });
      await dir.remove();
    },
  );

  test.each([[['tail']], [['topology']], [['dead-letters', 'list']], [['publish', 'view', '-d', '{}']]])(
    'says in a line that the broker does not answer, exit code 69, without the password: %j',
    async (args) => {
      const { code, stdout, stderr } = await weirDone(args, { env: { AMQP_URL: NOBODY } });
      expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
      expect(stderr).toMatch(/^weir: RabbitMQ does not answer at 127\.0\.0\.1:1 \(ECONNREFUSED\): .*\n$/);
      expect(stderr).not.toContain('hunter2');
    },
  );

  test('of several brokers it takes one that answers, and says of each that does not why', async () => {
    const other = 'amqp://u:hunter2@127.0.0.1:2';
    const { code, stdout, stderr } = await weirDone(['topology'], { env: { AMQP_URL: `${NOBODY},${other}` } });
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
    expect(stderr).toMatch(/127\.0\.0\.1:1 \(ECONNREFUSED\).*127\.0\.0\.1:2 \(ECONNREFUSED\)/);
    expect(stderr).not.toContain('hunter2');
    const broker = await isolated.amqp();
    const vhost = new URL(broker.url).pathname;
    const urls = `${NOBODY}${vhost},${broker.url},${other}${vhost}`;
    expect(await weirDone(['topology', '--declare'], { env: { AMQP_URL: urls } })).toMatchObject({ code: 0 });
    await broker.remove();
  });

  test('finds the broker in what the quick start wrote, but the environment and an option come first', async () => {
    const dir = await temporaryDirectory();
    await mkdir(join(dir.path, '.weir'));
    const file = join(dir.path, '.weir/endpoints.json');
    await writeFile(file, JSON.stringify({ amqp: 'amqp://127.0.0.1:2' }));
    const port = async (args: string[], env = {}) =>
      /127\.0\.0\.1:(\d)/.exec((await weirDone(['topology', ...args], { cwd: dir.path, env })).stderr)?.[1];
    expect(await port([])).toBe('2');
    expect(await port([], { AMQP_URL: 'amqp://127.0.0.1:3' })).toBe('3');
    expect(await port(['--amqp', 'amqp://127.0.0.1:4'], { AMQP_URL: 'amqp://127.0.0.1:3' })).toBe('4');
    await writeFile(file, '[broken');
    expect(await weirDone(['topology'], { cwd: dir.path })).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('not a JSON object') as string,
    });
    await dir.remove();
  });

  test.each(['http://127.0.0.1:5672', '127.0.0.1:5672', 'amqp://'])(
    'refuses %s as an address of the broker',
    async (url) => {
      expect(await weirDone(['tail'], { env: { AMQP_URL: url } })).toMatchObject({
        code: 78,
        stderr: expect.stringContaining('amqp://user:password@host:5672') as string,
      });
    },
  );
});

test('text of others cannot steer the terminal', () => {
  expect(clean('a\u001b[2Jb\u0007c\nd\u009bK\u202ee\u2028')).toBe('a�[2Jb�c�d�K�e�');
  expect(clean('x'.repeat(300), 10)).toBe(`${'x'.repeat(9)}…`);
  expect(clean(undefined)).toBe('');
});
