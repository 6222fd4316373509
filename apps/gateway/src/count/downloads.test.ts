import { createEvent, type WeirEvent } from '@weir/events';
import { manualClock } from '../gateway.test-support';
import { createDownloads, QUIET_MS } from './downloads';
import { seeded } from '@weir/testing';
import { interleaved } from './interleaved.test-support';

const layer = (name: string, size: number) => ({ digest: `sha256:${name}`, size });
const [big, small] = [layer('big', 1000), layer('small', 10)];

function start() {
  const clock = manualClock();
  const published: { pull: string; bytes: number; layers: number }[] = [];
  const publish = (pull: WeirEvent, fetched: { bytes: number; layers: number }) =>
    void published.push({ pull: pull.id, ...fetched });
  const downloads = createDownloads({ clock, publish });
  return {
    clock,
    published,
    downloads,
    pull(id: string, layers = [big, small], from = 'one') {
      downloads.expect(from, createEvent('io.weir.pull', {}, { source: 'test', id }), layers);
    },
    /** Redirected: what was asked for counts. */
    fetch(digest: string, range?: string, from = 'one') {
      const fetch = downloads.begin(from, digest, range);
      if (fetch !== undefined) downloads.end(fetch, 'all');
      return fetch !== undefined;
    },
  };
}

test('a pull whose layers are all fetched is a download at once', () => {
  const { published, pull, fetch, downloads } = start();
  pull('a');
  fetch(big.digest);
  expect(published).toEqual([]);
  fetch(small.digest);
  expect(published).toEqual([{ pull: 'a', bytes: 1010, layers: 2 }]);
  expect(downloads.size).toBe(0);
});

test('a pull of which some layers are fetched is one when nothing more comes', () => {
  const { clock, published, pull, fetch } = start();
  pull('a');
  clock.pass(QUIET_MS - 1);
  fetch(small.digest);
  clock.pass(QUIET_MS - 1);
  expect(published).toEqual([]);
  clock.pass(1);
  expect(published).toEqual([{ pull: 'a', bytes: 10, layers: 1 }]);
});

test('a pull without any is none, and forgotten', () => {
  const { clock, published, pull, fetch, downloads } = start();
  pull('a');
  clock.pass(QUIET_MS);
  expect(fetch(small.digest)).toBe(false);
  expect(published).toEqual([]);
  expect(downloads.size).toBe(0);
});

test('parallel, repeated and resumed ranges are summed once', () => {
  const { published, pull, fetch } = start();
  pull('a', [big]);
  for (const range of ['bytes=0-399', 'bytes=400-599', 'bytes=200-499', 'bytes=0-399']) fetch(big.digest, range);
  expect(published).toEqual([]);
  fetch(big.digest, 'bytes=600-');
  expect(published).toEqual([{ pull: 'a', bytes: 1000, layers: 1 }]);
});

test('of what the gateway sends itself, what was sent counts', () => {
  const { clock, published, pull, downloads } = start();
  pull('a', [big]);
  const broken = downloads.begin('one', big.digest, undefined);
  if (broken !== undefined) downloads.end(broken, 300);
  const resumed = downloads.begin('one', big.digest, 'bytes=200-');
  if (resumed !== undefined) downloads.end(resumed, 200);
  clock.pass(QUIET_MS);
  expect(published).toEqual([{ pull: 'a', bytes: 400, layers: 1 }]);
});

test('a layer may be on its way for longer than the pause', () => {
  const { clock, published, pull, downloads } = start();
  pull('a', [big]);
  const slow = downloads.begin('one', big.digest, undefined);
  clock.pass(20 * QUIET_MS);
  expect(published).toEqual([]);
  if (slow !== undefined) downloads.end(slow, 1000);
  expect(published).toEqual([{ pull: 'a', bytes: 1000, layers: 1 }]);
});

test('a configuration, or a layer of another image, is no download', () => {
  const { clock, published, pull, fetch } = start();
  pull('a');
  expect(fetch('sha256:config')).toBe(false);
  expect(fetch(big.digest, undefined, 'another')).toBe(false);
  clock.pass(QUIET_MS);
  expect(published).toEqual([]);
});

test('two machines that fetch the same layer at the same time are two downloads', () => {
  const { published, pull, downloads } = start();
  pull('a', [big]);
  pull('b', [big]);
  const fetches = [0, 1].map(() => downloads.begin('one', big.digest, undefined));
  for (const fetch of fetches) if (fetch !== undefined) downloads.end(fetch, 1000);
  expect(published.map(({ pull: id, bytes }) => [id, bytes])).toEqual([
    ['a', 1000],
    ['b', 1000],
  ]);
});

test('machines behind one address that fetch in ranges, in any order, are as many downloads with as many bytes', () => {
  const random = seeded(3);
  for (let round = 0; round < 50; round += 1) {
    const { published, pull, fetch } = start();
    const machines = Array.from({ length: 8 }, (_, n) => {
      pull(String(n));
      return [[big.digest, 'bytes=0-499'], [big.digest, 'bytes=500-999'], [small.digest]] as [string, string?][];
    });
    for (const [digest, range] of interleaved(machines, random)) fetch(digest, range);
    expect(published).toHaveLength(8);
    expect(published.every(({ bytes, layers }) => bytes === 1010 && layers === 2)).toBe(true);
  }
});

test('a layer whose size nobody states counts without its bytes', () => {
  const { clock, published, downloads, fetch } = start();
  downloads.expect('one', createEvent('io.weir.pull', {}, { source: 'test', id: 'a' }), [{ digest: 'sha256:old' }]);
  fetch('sha256:old');
  expect(published).toEqual([{ pull: 'a', bytes: 0, layers: 1 }]);
  clock.pass(QUIET_MS);
  expect(published).toHaveLength(1);
});

test('what is there is published when the process ends', () => {
  const { published, pull, fetch, downloads } = start();
  pull('a');
  pull('b');
  fetch(small.digest);
  downloads.flush();
  expect(published).toEqual([{ pull: 'a', bytes: 10, layers: 1 }]);
  expect(downloads.size).toBe(0);
});

test('no more than so many wait; the one that was quiet for longest goes first', () => {
  const { published, pull, fetch, downloads } = start();
  for (let n = 0; n < 3_000; n += 1) pull(String(n), [big, small], `source ${n}`);
  fetch(small.digest, undefined, 'source 0');
  for (let n = 3_000; n < 6_000; n += 1) pull(String(n), [big, small], `source ${n}`);
  expect(downloads.size).toBe(3_000);
  expect(published).toEqual([{ pull: '0', bytes: 10, layers: 1 }]);
  expect(downloads.expects('source 1')).toBe(false);
  expect(downloads.expects('source 5999')).toBe(true);
});

test('a client that fetches in thousands of pieces costs bounded memory, and bytes that are not counted', () => {
  const { clock, published, downloads, fetch } = start();
  const huge = layer('huge', 1_000_000);
  downloads.expect('one', createEvent('io.weir.pull', {}, { source: 'test', id: 'a' }), [huge]);
  for (let n = 0; n < 2_000; n += 1) fetch(huge.digest, `bytes=${n * 10}-${n * 10 + 4}`);
  clock.pass(QUIET_MS);
  expect(published).toEqual([{ pull: 'a', bytes: 256 * 5, layers: 1 }]);
});
