import { parseTime, TIMES } from './time-expression';

const now = Date.parse('2026-03-15T10:30:00Z'); // a Sunday
const iso = (time: number | string) => (typeof time === 'number' ? new Date(time).toISOString() : time);

test.each([
  ['2026-11-28', '2026-11-28T00:00:00.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ['2026-11-28T13:00Z', '2026-11-28T13:00:00.000Z'],
  ['2026-11-28T13:00:59Z', '2026-11-28T13:00:59.000Z'],
  ['2026-11-28T13:00:59.25Z', '2026-11-28T13:00:59.250Z'],
  ['2026-11-28T13:00:59.999999999Z', '2026-11-28T13:00:59.999Z'],
  ['2026-11-28T00:30:00+01:00', '2026-11-27T23:30:00.000Z'],
  ['2026-11-28T23:30:00-05:30', '2026-11-29T05:00:00.000Z'],
  ['0', '1970-01-01T00:00:00.000Z'],
  ['1471910400', '2016-08-23T00:00:00.000Z'],
  ['now', '2026-03-15T10:30:00.000Z'],
  ['now-7d', '2026-03-08T10:30:00.000Z'],
  ['now+1h', '2026-03-15T11:30:00.000Z'],
  ['now-1w-1d+2h-30m-5s+250ms', '2026-03-07T11:59:55.250Z'],
  ['2200-12-31T23:59:59.999Z', '2200-12-31T23:59:59.999Z'],
])('%s is %s', (text, expected) => {
  expect(iso(parseTime(text, now, 'from'))).toBe(expected);
  expect(iso(parseTime(text, now, 'to'))).toBe(expected);
});

test.each([
  ['today', '2026-03-15', '2026-03-16'],
  ['yesterday', '2026-03-14', '2026-03-15'],
  ['this-week', '2026-03-09', '2026-03-16'],
  ['last-week', '2026-03-02', '2026-03-09'],
  ['this-month', '2026-03-01', '2026-04-01'],
  ['last-month', '2026-02-01', '2026-03-01'],
  ['this-year', '2026-01-01', '2027-01-01'],
  ['last-year', '2025-01-01', '2026-01-01'],
])('%s begins on %s and ends before %s', (word, from, to) => {
  expect([iso(parseTime(word, now, 'from')), iso(parseTime(word, now, 'to'))]).toEqual([
    `${from}T00:00:00.000Z`,
    `${to}T00:00:00.000Z`,
  ]);
});

test('words at the edges of the calendar', () => {
  const range = (word: string, at: string) =>
    (['from', 'to'] as const).map((edge) => iso(parseTime(word, Date.parse(at), edge)).slice(0, 10));
  expect(range('this-week', '2026-03-16T00:00:00Z')).toEqual(['2026-03-16', '2026-03-23']);
  expect(range('this-week', '2026-03-15T23:59:59.999Z')).toEqual(['2026-03-09', '2026-03-16']);
  expect(range('last-month', '2024-03-31T12:00:00Z')).toEqual(['2024-02-01', '2024-03-01']);
  expect(range('last-month', '2026-01-31T12:00:00Z')).toEqual(['2025-12-01', '2026-01-01']);
  expect(range('yesterday', '2024-03-01T00:00:00Z')).toEqual(['2024-02-29', '2024-03-01']);
});

test.each([
  ['', /not a time/],
  ['nowhere', /not a time/],
  ['now 7d', /not a time/],
  ['now-7', /not a time/],
  ['now-7y', /not a time/],
  ['now-1.5h', /not a time/],
  ['now-7d/d', /not a time/],
  ['NOW', /not a time/],
  ['Today', /not a time/],
  ['constructor', /not a time/],
  ['2026-13-01', /no 2026-13-01 in the calendar/],
  ['2023-02-29T00:00Z', /no 2023-02-29 in the calendar/],
  ['2026-11-28T13:00', /not a time/],
  ['2026-11-28T24:00Z', /not a time/],
  ['2026-11-28T13:00 01:00', /not a time/],
  ['2026-11-28\n', /not a time/],
  ['-1', /not a time/],
  ['1471910400000', /too large for Unix seconds; milliseconds/],
  ['999999999999', /years 1970 to 2200/],
  ['1969-12-31', /years 1970 to 2200/],
  ['2201-01-01', /years 1970 to 2200/],
  ['now-999999999999999w', /years 1970 to 2200/],
  ['now-60y', /not a time/],
  [`now${'-1d'.repeat(40)}`, /longer than 100 characters/],
])('%j is explained', (text, message) => {
  expect(parseTime(text, now, 'from')).toMatch(message);
});

test('the explanation names only what is taken', () => {
  for (const example of TIMES.match(/\b(2026-[^\s,)]+|now[^\s,:)]*|(?:this|last)-\w+|today|yesterday)/g) ?? []) {
    expect([example, typeof parseTime(example, now, 'from')]).toEqual([example, 'number']);
  }
});
