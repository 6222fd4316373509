import type { Row } from './judge';
import { countsOf, sequencesOf, summaryOf } from './table';

const row: Row = {
  client: 'docker',
  version: '20.10.24',
  image: 'index',
  mode: 'proxy',
  expected: { pulls: 1, checks: 0, arch: ['linux/amd64'] },
  seen: { pulls: 1, checks: 0, arch: ['linux/amd64'] },
  ok: true,
  kinds: ['image'],
  referrers: 0,
  downloads: 1,
  asked: ['HEAD :v1 200', 'GET @digest 200', 'GET blob 307', 'GET blob 307', 'GET blob 200 (upstream)'],
  problems: [],
};
const wrong: Row = { ...row, mode: 'redirect', ok: false, seen: { ...row.seen, checks: 1 }, problems: ['checks: 1'] };

test('modes that agree are one cell, others are told apart, and what is wrong says so', () => {
  const head = ['image', 'docker 20.10.24'];
  const fine = '1 pull, linux/amd64, 1 download';
  expect(countsOf([row, { ...row, mode: 'redirect' }])).toEqual([head, ['index', fine]]);
  const [, [, cell = ''] = []] = countsOf([wrong, row]);
  expect(cell).toMatch(
    /^redirect: WRONG: 1 pull, linux\/amd64, 1 check, .*expected 1 pull, 0 checks.*<br>proxy: 1 pull/,
  );
  expect(countsOf([{ ...row, ok: null }])[1]).toEqual(['index', '–']);
});

test('only what was asked of the gateway is shown, the same in a row once', () => {
  expect(sequencesOf([row])[1]).toEqual(['docker', 'index', 'HEAD :v1 200, GET @digest 200, GET blob 307 ×2']);
});

test('the summary counts all three outcomes', () => {
  expect(summaryOf([row, wrong, { ...row, ok: null }])).toBe(
    '3 cells: 1 as expected, 1 wrong, 1 that the client cannot play',
  );
});
