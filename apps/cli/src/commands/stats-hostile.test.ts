import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { temporaryDirectory, until } from '@weir/testing';
import { weir, weirDone } from '../io.test-support';
import { createStatsApi } from '../stats/api';
import { writeRows } from '../stats/export';
import { head, json, standIn, type StandIn } from '../stats/stand-in.test-support';

let api: StandIn;
let answer: RequestListener;
let env: Record<string, string>;

beforeEach(async () => {
  api = await standIn((request, response) => answer(request, response));
  env = { STATS_URL: api.url };
});
afterEach(() => api.stop());

const query = (args: string[] = [], world: object = {}) => weirDone(['stats', 'pulls', ...args], { env, ...world });

describe('where the read API is, and who asks', () => {
  let seen: (string | undefined)[];
  beforeEach(() => {
    seen = [];
    answer = (request, response) => {
      seen.push(request.headers.authorization);
      json({ ...head, rows: [] })(request, response);
    };
  });
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  test.each([
    [{}, undefined],
    [{ STATS_USER: 'ann', STATS_PASSWORD: 'pä:ss' }, basic('ann:pä:ss')],
    [{ STATS_KEY: 'k-1' }, 'Bearer k-1'],
    [{ STATS_KEY: 'k-1', STATS_USER: 'ann', STATS_PASSWORD: 'p' }, 'Bearer k-1'],
  ])('STATS_URL with %j', async (credentials, header) => {
    expect(await query([], { env: { ...env, ...credentials } })).toMatchObject({ code: 0, stderr: '' });
    expect(seen).toEqual([header]);
  });

  test('credentials of the address are sent, and not shown', async () => {
    const url = api.url.replace('//', '//bob:p%40ss@');
    expect((await query([], { env: { STATS_URL: url } })).code).toBe(0);
    expect(seen).toEqual([basic('bob:p@ss')]);
    answer = json({}, 503);
    const { stderr } = await query([], { env: { STATS_URL: url } });
    expect(stderr).toContain(api.url);
    expect(stderr).not.toContain('p@ss');
    expect(stderr).not.toContain('p%40ss');
  });

  test("the quick start's credentials go to its own address alone", async () => {
    const dir = await temporaryDirectory();
    await mkdir(join(dir.path, '.weir'));
    const endpoints = { stats: api.url, statsUser: 'weir', statsPassword: 'made up' };
    await writeFile(join(dir.path, '.weir/endpoints.json'), JSON.stringify(endpoints));
    expect((await query([], { env: {}, cwd: dir.path })).code).toBe(0);
    expect((await query([], { env, cwd: dir.path })).code).toBe(0);
    expect((await query(['--stats', api.url], { env: {}, cwd: dir.path })).code).toBe(0);
    expect(seen).toEqual([basic('weir:made up'), undefined, undefined]);
    await dir.remove();
  });

  test('a path in front is kept', async () => {
    expect((await query([], { env: { STATS_URL: `${api.url}/weir/` } })).code).toBe(0);
    expect(api.asked).toEqual([expect.stringMatching(/^\/weir\/v1\/query\?statistic=pulls&/)]);
  });

  test.each([
    [{}, /no address of the read API: set STATS_URL/],
    [{ STATS_URL: 'stats.example.com' }, /the address of the read API must be a URL/],
    [{ STATS_URL: 'ftp://stats.example.com' }, /the address of the read API must be a URL/],
    [{ STATS_URL: 'http://a', STATS_USER: 'ann' }, /STATS_PASSWORD must be set, too/],
    [{ STATS_URL: 'http://a', STATS_KEY: 'two words' }, /STATS_KEY must be visible ASCII/],
    [{ STATS_URL: 'http://a:%zz@b' }, /must be percent-encoded/],
  ])('what is wrong with %j is said in a line, exit code 78', async (wrong, message) => {
    const { code, stdout, stderr } = await query([], { env: wrong });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('what another server answers', () => {
  test.each<[string, RequestListener, number, RegExp]>([
    ['a page', (_, response) => void response.setHeader('content-type', 'text/html').end('<html>'), 78, /not answer as the read API of Weir \(it sends text\/html\): is STATS_URL right/],
    ['JSON of something else', json({ ok: true }), 78, /\/v1\/query lacks what is expected at statistic/],
    ['broken JSON', (_, response) => void response.setHeader('content-type', 'application/json').end('{"a"'), 78, /lacks what is expected/],
    ['404', (_, response) => void response.writeHead(404).end('nothing here'), 78, /answered 404, not as the read API of Weir/],
    ['a redirect', (_, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(), 69, /no answer from/],
    ['500', (_, response) => void response.writeHead(500).end(), 69, /cannot answer now \(500\)/],
    ['the end of the connection', (request) => void request.socket.destroy(), 69, /no answer from .*: is stats running/],
    ['half an answer', (_, response) => { response.writeHead(200, { 'content-type': 'application/json' }); response.write('{'); setImmediate(() => response.destroy()); }, 69, /no answer from/],
  ])('%s: in a line, with what to do', async (_, another, code, message) => {
    answer = another;
    const done = await query();
    expect(done).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) as string });
    expect(done.stderr.trim().split('\n')).toHaveLength(1);
  }); // prettier-ignore

  test('nobody listens: exit code 69', async () => {
    const gone = await standIn(answer);
    await gone.stop();
    expect(await query([], { env: { STATS_URL: gone.url } })).toEqual({
      code: 69,
      stdout: '',
      stderr: `weir: no answer from ${gone.url} (ECONNREFUSED): is stats running, is STATS_URL right?\n`,
    });
  });

  test('Ctrl-C ends a question that is never answered', async () => {
    let came = false;
    answer = () => void (came = true);
    const asking = weir(['stats', 'pulls'], { env });
    await until(() => came);
    asking.stop();
    expect(await asking.exit).toBe(1);
    expect(asking.stderr()).toBe('weir: interrupted\n');
  });
});

describe('text of others', () => {
  const evil = '\u001b[2J\u009b31m\u202eevil\r\n\u0007';
  const rows = [{ organization: evil, value: 10 }, { organization: null, value: 1 }]; // prettier-ignore

  test('cannot steer the terminal from a table', async () => {
    answer = json({ ...head, rows, state: 'filling', gaps: [{ from: evil, to: evil, reason: evil, service: evil }] });
    const { stdout } = await query(['--by', 'organization'], { terminal: true, env: { ...env, NO_COLOR: '1' } });
    expect(stdout).toContain('evil');
    expect(stdout).toContain('(unknown)');
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  test('is escaped in JSON, and comes out the same', async () => {
    answer = json({ ...head, rows });
    const { stdout } = await query(['--json'], { terminal: true });
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(JSON.parse(stdout)).toMatchObject({ rows });
  });

  test('is made harmless in CSV on a terminal, and not touched in a pipe', async () => {
    const body = `organization,value\r\n"${evil}",10\r\n`;
    answer = (_, response) => void response.setHeader('content-type', 'text/csv').end(body);
    expect((await query(['--csv'])).stdout).toBe(body);
    const { stdout } = await query(['--csv'], { terminal: true });
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202e]/);
    expect(stdout).toContain('evil');
  });

  test('of a problem is one line', async () => {
    answer = json({ title: evil, errors: [{ parameter: evil, message: evil, allowed: evil }] }, 400);
    const { code, stderr } = await query();
    expect(code).toBe(2);
    expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('pages', () => {
  const ndjson = 'application/x-ndjson';

  test('are followed at the address that was given, wherever the next one is said to be', async () => {
    const next = 'http://127.0.0.1:1/elsewhere?statistic=pulls&cursor=2&limit=5000';
    answer = (request, response) => {
      if (!request.url?.includes('cursor'))
        json({ ...head, rows: [{ organization: 'a', value: 1 }], next })(request, response); // prettier-ignore
      else response.writeHead(200, { 'content-type': ndjson }).end('{"organization":"b","value":1}\n');
    };
    const { code, stdout } = await query();
    expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({ code: 0, more: false, rows: [{ organization: 'a' }, { organization: 'b' }] }); // prettier-ignore
    expect(api.asked[1]).toBe('/v1/query?statistic=pulls&cursor=2&limit=100000');
  });

  test.each([
    ['no JSON', '{"organization":\n'],
    ['no row', '{"organization":["b"]}\n'],
    ['endless', `{"organization":"${'b'.repeat(2 ** 21)}`],
  ])('with a line that is %s are told, and are not a whole answer', async (_, line) => {
    answer = (request, response) => {
      if (!request.url?.includes('cursor'))
        json({ ...head, rows: [{ value: 1 }], next: '/v1/query?cursor=2' })(request, response); // prettier-ignore
      else response.writeHead(200, { 'content-type': ndjson }).end(line);
    };
    const { code, stdout, stderr } = await query();
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/^weir: the read API sent a line/);
    expect(() => JSON.parse(stdout) as unknown).toThrow(SyntaxError);
  });

  test('without rows end it, however many more are promised', async () => {
    answer = json({ ...head, rows: [], next: '/v1/query?cursor=again' });
    expect((await query()).code).toBe(0);
    expect(api.asked).toHaveLength(1);
  });

  test.each(['--json', '--csv', '--ndjson'])(
    'that are their own next ones are not followed for ever: %s',
    async (format) => {
      const bodies: Record<string, string> = {
        'application/json': JSON.stringify({
          ...head,
          rows: [{ organization: 'a', value: 1 }],
          next: '/v1/query?cursor=0',
        }),
        'text/csv': 'organization,value\r\na,1\r\n',
        [ndjson]: '{"organization":"a","value":1}\n',
      };
      answer = ({ headers: { accept = '' } }, response) => {
        response.writeHead(200, { 'content-type': accept, link: '</v1/query?cursor=0&limit=100000>; rel="next"' });
        response.end(bodies[accept]);
      };
      expect(await query([format])).toMatchObject({ code: 1, stderr: expect.stringContaining('what is shown is not all') as string }); // prettier-ignore
      expect(api.asked).toHaveLength(2);
    },
  );

  test('a reader who takes nothing holds up the server, not our memory', async () => {
    const piece = Buffer.alloc(64 * 1024, 'a,1\r\n');
    const most = 16 * 1024 * 1024;
    let sent = 0;
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/csv' });
      const more = () => {
        for (let room = true; room && sent < most; sent += piece.length) room = response.write(piece);
        if (sent === most) response.end();
      };
      response.on('drain', more);
      more();
    };
    const out = new PassThrough();
    const io = { env: {}, cwd: '/', stdin: new PassThrough(), stdout: out, stderr: new PassThrough(), signal: new AbortController().signal }; // prettier-ignore
    const writing = writeRows(io, createStatsApi({ url: new URL(api.url) }, io.signal), 'csv', [], Infinity);
    let [before, same] = [-1, 0];
    await until(() => {
      same = sent === before ? same + 1 : 0;
      before = sent;
      return same > 20;
    });
    expect(sent).toBeLessThan(most);
    out.resume();
    expect(await writing).toBe(false);
    expect(sent).toBe(most);
  });
});

describe('weir stats --watch', () => {
  test('in a pipe is a line of JSON each time, also past a server that does not answer for a while', async () => {
    let times = 0;
    answer = (request, response) => {
      times += 1;
      if (times === 2) request.socket.destroy();
      else json({ ...head, total: times, rows: [] })(request, response);
    };
    const watching = weir(['stats', 'pulls', '--watch', '1'], { env });
    await until(() => watching.stdout().split('\n').length > 2);
    watching.stop();
    expect(await watching.exit).toBe(0);
    const totals = watching.stdout().trim().split('\n').map((line) => (JSON.parse(line) as { total: number }).total); // prettier-ignore
    expect(totals.slice(0, 2)).toEqual([1, 3]);
    expect(watching.stderr()).toMatch(/^weir: no answer from /);
  });

  test('on a terminal redraws in place on a screen of its own, and leaves the last one behind', async () => {
    let times = 0;
    answer = (request, response) => {
      times += 1;
      json({ ...head, total: times, rows: [] })(request, response);
    };
    const watching = weir(['stats', 'pulls', '--watch', '1'], { env, terminal: true });
    await until(() => watching.stdout().includes('pulls: 2 in all'));
    watching.stop();
    expect(await watching.exit).toBe(0);
    const text = watching.stdout();
    expect(text.indexOf('\u001b[?1049h')).toBe(0);
    expect(text.split('\u001b[?1049l')[1]?.replace('\u001b[?25h', '')).toMatch(/^pulls: \d+ in all.*\n$/);
    expect(text.match(/\u001b\[H/g)?.length).toBeGreaterThanOrEqual(2);
  });

  test('a refusal ends it', async () => {
    answer = json({ title: 'Unauthorized' }, 401);
    expect(await query(['--watch'])).toMatchObject({ code: 1, stderr: `weir: ${api.url} does not know who asks: set STATS_USER and STATS_PASSWORD, or STATS_KEY\n` }); // prettier-ignore
  });
});
