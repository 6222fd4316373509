/** A quick part of `npm run matrix`, with the real clients that need no daemon. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '@weir/testing';
import { cells } from './cells';
import type { Row } from './judge';
import { playMatrix } from './matrix';

const images = ['index', 'twice', 'attested-all', 'signature', 'basic', 'token', 'elsewhere'];
const root = join(__dirname, '../../..');
const gateway = [
  '--conditions=@weir/source',
  '--require',
  join(root, 'libs/testing/src/source.js'),
  join(root, 'apps/gateway/src/main.ts'),
];

let dir: { path: string; remove(): Promise<void> };
let rows: Row[];

beforeAll(async () => {
  dir = await temporaryDirectory();
  rows = await playMatrix({
    dir: dir.path,
    gateway,
    clients: ['skopeo', 'buildah'],
    modes: ['redirect', 'proxy'],
    cells: cells.filter(({ image }) => images.includes(image)),
    progress: () => {},
    signal: new AbortController().signal,
  });
}, 240_000);
afterAll(() => dir.remove());

test.each(['skopeo', 'buildah'])('%s: everything is counted as it was pulled', (client) => {
  const own = rows.filter((row) => row.client === client);
  expect(own.filter(({ ok }) => ok === false)).toEqual([]);
  const playable = client === 'skopeo' ? images : images.filter((image) => image !== 'signature');
  for (const mode of ['redirect', 'proxy']) {
    const played = own.filter((row) => row.mode === mode && row.ok === true);
    expect(played.map(({ image }) => image)).toEqual(playable);
    for (const { expected, seen, asked } of played) {
      expect(seen).toEqual(expected);
      expect(asked.length).toBeGreaterThan(2);
    }
  }
});

test('what a client cannot do is a row that says so', () => {
  const cannot = rows.filter(({ ok }) => ok === null);
  expect(cannot.map(({ client, image, problems }) => [client, image, problems])).toEqual(
    ['redirect', 'proxy'].map(() => ['buildah', 'signature', ['buildah fetches images only']]),
  );
});

test('a client that is redirected fetches at the upstream, and is proxied otherwise', () => {
  const asked = (mode: string) => rows.find((row) => row.image === 'index' && row.mode === mode)?.asked ?? [];
  expect(asked('redirect')).toEqual(expect.arrayContaining(['GET :v1 307', 'GET :v1 200 (upstream)']));
  expect(asked('proxy')).toContain('GET :v1 200');
});

test('nothing of it runs any more', () => {
  const running = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(dir.path));
  expect(running.map(commandOf)).toEqual([]);
});

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it has ended in the meantime
  }
}
