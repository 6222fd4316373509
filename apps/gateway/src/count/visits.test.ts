import { createVisits, FOLLOW_MS, type Step } from './visits';

const children = ['c1', 'c2'];
const start = () => createVisits((index, digest) => index === 'index' && children.includes(digest));
const step = (what: Partial<Step>): Step => ({
  from: 'one team/app',
  source: 'one',
  tag: undefined,
  digest: undefined,
  at: 0,
  ...what,
});

test('a GET by digest within five seconds of a pull of the same is its repetition, later another pull', () => {
  const visits = start();
  const at = (ms: number) => visits.image(step({ digest: 'd', at: ms })).isPull;
  expect(visits.image(step({ tag: 'v1', digest: 'd', at: 0 })).isPull).toBe(true);
  expect([at(1), at(FOLLOW_MS), at(FOLLOW_MS + 1), at(2 * FOLLOW_MS)]).toEqual([false, false, true, false]);
});

test('each GET by tag is a pull', () => {
  const visits = start();
  for (let n = 0; n < 5; n += 1) expect(visits.image(step({ tag: 'v1', digest: 'd', at: n })).isPull).toBe(true);
});

test('all platforms of an index are a pull each', () => {
  const visits = start();
  visits.index(step({ tag: 'v1', digest: 'index' }));
  expect(children.map((digest) => visits.image(step({ digest, at: 1 })).isPull)).toEqual([true, true]);
  expect(visits.image(step({ digest: 'c1', at: 2 })).isPull).toBe(false);
});

test('a step goes on with the oldest visit that it fits, and names its tag', () => {
  const visits = start();
  const [first, second] = ['a', 'b'].map((tag) => visits.head(step({ tag, digest: 'd' })));
  const [one, two] = [1, 2].map((at) => visits.image(step({ digest: 'd', at })).visit);
  expect([one === first, two === second]).toEqual([true, true]);
  expect([one?.tag, two?.tag]).toEqual(['a', 'b']);
});

test('docker, that knows an index, goes from its HEAD to another child: its HEAD is no check, its tag is known', () => {
  const visits = start();
  visits.ping('one', 0);
  const first = visits.head(step({ tag: 'v1', digest: 'index' }));
  visits.index(step({ digest: 'index', at: 1 }));
  expect(visits.image(step({ digest: 'c1', at: 2 }))).toEqual({ visit: first, isPull: true });
  visits.ping('one', 3);
  const second = visits.head(step({ tag: 'stable', digest: 'index', at: 4 }));
  const { visit, isPull } = visits.image(step({ digest: 'c2', at: 5 }));
  expect([visit === second, visit.tag, isPull]).toEqual([true, 'stable', true]);
});

test('who has pulled nothing is taken before who has pulled another image, and after who asked for this one', () => {
  const visits = start();
  const all = visits.index(step({ tag: 'v1', digest: 'index' }));
  visits.image(step({ digest: 'c1', at: 1 }));
  const nothing = visits.head(step({ tag: 'v1', digest: 'index', at: 2 }));
  const named = visits.head(step({ digest: 'c2', at: 3 }));
  const taken = [4, 5, 6].map((at) => visits.image(step({ digest: 'c2', at })));
  expect(taken.map(({ visit }) => [named, nothing, all].indexOf(visit))).toEqual([0, 1, 2]);
  expect(taken.map(({ isPull }) => isPull)).toEqual([true, true, true]);
  expect(visits.image(step({ digest: 'c2', at: 7 })).isPull).toBe(false);
});

test('another repository or source is another visit', () => {
  const visits = start();
  visits.image(step({ digest: 'd' }));
  expect(visits.image(step({ digest: 'd', from: 'one team/other' })).isPull).toBe(true);
  expect(visits.image(step({ digest: 'd', from: 'two team/app', source: 'two' })).isPull).toBe(true);
});

test('who pings begins anew', () => {
  const visits = start();
  visits.image(step({ digest: 'd' }));
  visits.ping('one', 1);
  expect(visits.image(step({ digest: 'd', at: 2 })).isPull).toBe(true);
  expect(visits.image(step({ digest: 'd', at: 3 })).isPull).toBe(false);
  visits.ping('two', 4);
  expect(visits.image(step({ digest: 'd', at: 5 })).isPull).toBe(false);
});

test('a visit is over when nothing has come of it for a minute', () => {
  const visits = start();
  visits.index(step({ tag: 'v1', digest: 'index' }));
  const { visit } = visits.image(step({ digest: 'c1', at: 60_001 }));
  expect(visit.tag).toBeUndefined();
  expect(visits.size).toBe(1);
});

test('at the bound of one source nothing is taken for a repetition, so that no pull is missing', () => {
  const visits = start();
  const machines = 1_500;
  for (let n = 0; n < machines; n += 1) visits.head(step({ tag: 'v1', digest: 'd', at: n / 1000 }));
  expect(visits.size).toBe(1_000);
  let pulls = 0;
  for (let n = 0; n < machines; n += 1) if (visits.image(step({ digest: 'd', at: 4 + n / 1000 })).isPull) pulls += 1;
  expect(pulls).toBe(machines);
});

test('at the bound of all sources neither', () => {
  const visits = start();
  const sources = 20_000;
  const of = (n: number, more: Partial<Step>) => step({ from: `${n} team/app`, source: `${n}`, digest: 'd', ...more });
  for (let n = 0; n < sources; n += 1) for (const tag of ['a', 'b']) visits.head(of(n, { tag, at: n / 1000 }));
  expect(visits.size).toBeLessThan(12_000);
  let pulls = 0;
  for (let n = 0; n < 1_000; n += 1)
    for (let get = 0; get < 2; get += 1) if (visits.image(of(n, { at: 40 })).isPull) pulls += 1;
  expect(pulls).toBe(2_000);
});

test('at the bound of sources that ping neither', () => {
  const visits = start();
  visits.image(step({ digest: 'd' }));
  for (const source of ['one', 'two']) visits.ping(source, 1);
  for (let n = 0; n < 2_000; n += 1) visits.ping(`${n}`, 2);
  expect(visits.image(step({ digest: 'd', at: 3 })).isPull).toBe(true);
});

test('sources that have begun what they pinged for take no room', () => {
  const visits = start();
  for (let n = 0; n < 5_000; n += 1) {
    visits.ping(`${n}`, 0);
    visits.image(step({ from: `${n} team/app`, source: `${n}`, digest: 'd' }));
  }
  expect(visits.image(step({ from: '4999 team/app', source: '4999', digest: 'd', at: 1 })).isPull).toBe(false);
});

test('sources that never begin a visit are not remembered without end', () => {
  const visits = start();
  for (let n = 0; n < 20_000; n += 1) {
    visits.ping(`${n}`, n);
    visits.end(step({ from: `${n} team/app`, source: `${n}`, tag: 'v1', at: n }));
  }
  expect(visits.size).toBe(0);
});
