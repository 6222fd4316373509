import { createRhythm, type Pattern } from './rhythm';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 5, 12);

type Request = readonly [time: number, reference: string];

/** The pattern after each of the requests of one source for one repository. */
function patterns(requests: readonly Request[]): Pattern[] {
  const rhythm = createRhythm();
  return requests.map(([time, reference]) =>
    rhythm.note('abc', { at: new Date(time), repository: 'team/app', reference }),
  );
}
const last = (requests: readonly Request[]) => patterns(requests).at(-1);

/** Requests at these times, all for one tag. */
const latest = (times: readonly number[]): Request[] => times.map((time) => [time, 'latest']);
const every = (ms: number, count: number, from = START) => Array.from({ length: count }, (_, n) => from + n * ms);

/** The same numbers from 0 to 1 in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Rows of a talk's table, `12:00 latest`, on a day; the next day begins where the clock goes back. */
function table(...rows: string[]): Request[] {
  let day = START - 12 * HOUR;
  let before = 0;
  return rows.map((row) => {
    const [clock = '', reference = ''] = row.split(' ');
    const [hours = 0, minutes = 0] = clock.split(':').map(Number);
    const time = hours * HOUR + minutes * MINUTE;
    if (time < before) day += 24 * HOUR;
    before = time;
    return [day + time, reference];
  });
}

describe('the two access patterns of the talk on download counts', () => {
  test('highly regular intervals, polling for the latest version: production or poller', () => {
    const seen = patterns(
      table('12:00 latest', '12:00 latest', '12:05 latest', '12:10 latest', '12:15 latest', '12:20 latest'),
    );
    expect(seen).toEqual([...Array<Pattern>(5).fill('unknown'), 'production-or-poller']);
  });

  test('irregular intervals, several versions, on two days: development', () => {
    const rows = ['12:00 latest', '12:00 latest', '13:09 latest', '13:09 latest', '13:10 latest'];
    const nextDay = ['09:01 1.0.1', '09:01 1.0.1', '09:03 latest', '09:10 latest'];
    const requests = table(...rows, ...nextDay);
    expect((requests.at(-1)?.[0] ?? 0) - START).toBe(21 * HOUR + 10 * MINUTE);
    expect(patterns(requests)).toEqual([...Array<Pattern>(7).fill('unknown'), 'development', 'development']);
  });
});

describe('a program that asks at intervals', () => {
  test.each([
    ['every minute', MINUTE],
    ['every five minutes', 5 * MINUTE],
    ['at the same time every day', 24 * HOUR],
  ])('%s is production or poller from the fourth gap on', (_, ms) => {
    const seen = patterns(latest(every(ms, 40)));
    expect(seen.slice(0, 4)).toEqual(Array(4).fill('unknown'));
    expect(new Set(seen.slice(4))).toEqual(new Set(['production-or-poller']));
  });

  test.each([1, 2, 3, 4, 5])('… give or take a tenth of each interval (series %d)', (seed) => {
    const random = numbers(seed);
    let now = START;
    const times = every(0, 200).map(() => (now += 5 * MINUTE * (0.9 + 0.2 * random())));
    expect(new Set(patterns(latest(times)).slice(4))).toEqual(new Set(['production-or-poller']));
  });

  test.each([1, 2, 3])('… around its place in a schedule, give or take a tenth (series %d)', (seed) => {
    const random = numbers(seed);
    const times = every(HOUR, 100).map((time) => time + HOUR * 0.2 * (random() - 0.5));
    expect(new Set(patterns(latest(times)).slice(4))).toEqual(new Set(['production-or-poller']));
  });

  test('… that misses one now and then', () => {
    const times = every(5 * MINUTE, 60).filter((_, n) => n % 11 !== 7);
    expect(last(latest(times))).toBe('production-or-poller');
  });

  test('… whose image is a new one from time to time', () => {
    expect(last(every(HOUR, 32).map((time, n) => [time, n < 20 ? '1.0' : '1.1']))).toBe('production-or-poller');
  });

  test('… and walks through many versions is neither', () => {
    expect(last(every(MINUTE, 32).map((time, n) => [time, `1.${n}`]))).toBe('unknown');
  });
});

describe('the steps of one pull', () => {
  test('are one arrival for what was asked first, so that nothing looks like a second or a second version', () => {
    const pull = (time: number): Request[] => [
      [time, 'latest'],
      [time + 40, 'latest'],
      [time + 300, 'sha256:index'],
      [time + 2_000, `sha256:child${time}`],
      [time + 19_000, 'sha256:other'],
    ];
    const seen = patterns(every(10 * MINUTE, 5).flatMap(pull));
    expect(seen.slice(0, 20)).toEqual(Array(20).fill('unknown'));
    expect(seen.slice(20)).toEqual(Array(5).fill('production-or-poller'));
  });

  test('a single burst of a hundred requests says nothing', () => {
    expect(last(every(100, 100).map((time, n) => [time, `1.${n}`]))).toBe('unknown');
  });
});

describe('many machines behind one address', () => {
  const machines = (count: number, ofOne: (machine: number) => Request[]) =>
    Array.from({ length: count }, (_, machine) => ofOne(machine))
      .flat()
      .sort(([a], [b]) => a - b);

  test('twenty that poll at the stroke of the clock are production or poller', () => {
    const random = numbers(7);
    const requests = machines(20, () => latest(every(5 * MINUTE, 10).map((time) => time + 10_000 * random())));
    expect(last(requests)).toBe('production-or-poller');
  });

  test.each([1, 2, 3, 4, 5])('twenty that poll, each in its own time, are never development (series %d)', (seed) => {
    const random = numbers(seed);
    const requests = machines(20, () => latest(every(5 * MINUTE, 10, START + 5 * MINUTE * random())));
    expect(new Set(patterns(requests))).not.toContain('development');
  });

  test('twenty people at work are never production or poller', () => {
    const random = numbers(3);
    const tags = ['latest', '1.0', '1.1', '2.0-rc1'];
    const requests = machines(20, () =>
      every(0, 6).map((time) => [time + 8 * HOUR * random(), tags[Math.floor(4 * random())] ?? '']),
    );
    const seen = new Set(patterns(requests));
    expect(seen).toContain('development');
    expect(seen).not.toContain('production-or-poller');
  });
});

test('one version at irregular times says nothing', () => {
  const requests = table(
    '09:00 latest',
    '09:30 latest',
    '09:33 latest',
    '14:00 latest',
    '14:07 latest',
    '16:00 latest',
  );
  expect(last(requests)).toBe('unknown');
});

test('each repository and each source has its own rhythm', () => {
  const rhythm = createRhythm();
  const note = (source: string, repository: string, time: number) =>
    rhythm.note(source, { at: new Date(time), repository, reference: 'latest' });
  const times = every(MINUTE, 5);
  for (const time of times.slice(0, 4)) {
    note('a', 'one', time);
    note('b', 'two', time);
  }
  expect(note('a', 'two', START + 4 * MINUTE)).toBe('unknown');
  expect(note('a', 'one', START + 4 * MINUTE)).toBe('production-or-poller');
});

test('a clock that is put back starts over, and does not end the record', () => {
  const seen = patterns(latest([...every(MINUTE, 5, START + 365 * 24 * HOUR), ...every(MINUTE, 5)]));
  expect(seen.slice(4)).toEqual([
    'production-or-poller',
    'unknown',
    'unknown',
    'unknown',
    'unknown',
    'production-or-poller',
  ]);
});

test('what was not seen for eight days is forgotten', () => {
  const days = (...numbers: number[]) => latest(numbers.map((day) => START + day * 24 * HOUR));
  expect(last(days(0, 1, 2, 3, 12, 13))).toBe('unknown');
  expect(patterns(days(0, 8, 16, 24, 32)).at(-1)).toBe('production-or-poller');
  expect(patterns(days(0, 9, 18, 27, 36)).at(-1)).toBe('unknown');
});

test('what is remembered is bounded: the source that was not seen for longest is forgotten', () => {
  const rhythm = createRhythm(4);
  const note = (source: string, time: number) =>
    rhythm.note(source, { at: new Date(time), repository: 'team/app', reference: 'latest' });
  for (const time of every(MINUTE, 4)) note('a', time);
  for (const source of ['b', 'c', 'd', 'e']) note(source, START + 4 * MINUTE);
  expect(rhythm.size).toBeLessThanOrEqual(4);
  expect(note('a', START + 4 * MINUTE)).toBe('unknown');
});
