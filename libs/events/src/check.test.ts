import {
  catalogue,
  checkEvent,
  createEvent,
  decodeEvent,
  encodeEvent,
  kindOf,
  limits,
  utcDay,
  type WeirEvent,
} from './index';

const pull = (over: Partial<WeirEvent> = {}): WeirEvent => ({
  ...createEvent('io.weir.pull', { repository: 'library/alpine' }, { source: 'weir/gateway', time: new Date('2026-11-23T06:54:00Z') }),
  ...over,
}); // prettier-ignore

const problemsOf = (value: unknown, now?: Date) => {
  const checked = checkEvent(value, now ? { now } : {});
  return checked.ok ? [] : checked.problems;
};

test('an event survives being encoded and decoded', () => {
  const event = pull();
  expect(decodeEvent(encodeEvent(event))).toEqual({ ok: true, event });
});

test.each([
  ['2026-11-23T23:59:59.999Z', '2026-11-23T23:59:59.999Z'],
  ['2026-11-23T23:59:59.9999999Z', '2026-11-23T23:59:59.999Z'],
  ['2026-11-24T01:30:00+02:00', '2026-11-23T23:30:00.000Z'],
  ['2024-02-29t12:00:00z', '2024-02-29T12:00:00.000Z'],
])('the time %s is %s in UTC', (given, canonical) => {
  expect(checkEvent(pull({ time: given }))).toMatchObject({ ok: true, event: { time: canonical } });
});

test.each(['2026-02-30T00:00:00Z', '2026-11-23', 'yesterday', '', '2026-11-23T25:00:00Z', '1999-12-31T23:59:59Z', '9999-01-01T00:00:00Z'])(
  'the time "%s" is refused, by name',
  (time) => expect(problemsOf(pull({ time }))).toEqual([{ field: 'time', message: expect.stringMatching(/^must/) as string }]),
); // prettier-ignore

test('a time more than a day ahead is refused at the edge, and only there', () => {
  const now = new Date('2026-11-22T06:53:59Z');
  expect(problemsOf(pull(), now)).toEqual([{ field: 'time', message: expect.stringContaining('24 hours') as string }]);
  expect(problemsOf(pull())).toEqual([]);
});

test('every wrong field is reported, not just the first', () => {
  const fields = problemsOf({ specversion: '0.3', id: 7, source: 'a b', type: '', time: 'x' }).map(
    ({ field }) => field,
  );
  expect(fields).toEqual(['specversion', 'id', 'source', 'type']);
  expect(problemsOf(pull({ time: 'x', data: { repository: 1, bytes: -1 } })).map(({ field }) => field)).toEqual([
    'time',
    'data.repository',
    'data.bytes',
  ]);
});

test('an unknown type is welcome, whatever its data', () => {
  expect(checkEvent(pull({ type: 'com.acme.coffee', data: { cups: 3 } })).ok).toBe(true);
});

test.each([
  ['text', 'data'],
  [['list'], 'data'],
])('data that is no object is refused', (data, field) => {
  expect(problemsOf(pull({ data: data as unknown as WeirEvent['data'] })).map((problem) => problem.field)).toEqual([
    field,
  ]);
});

test('nesting and size are limited', () => {
  let data: Record<string, unknown> = {};
  for (let level = 0; level < limits.depth + 1; level += 1) data = { data };
  expect(problemsOf(pull({ type: 'x.y', data }))).toEqual([
    { field: 'data', message: expect.stringContaining('nested') as string },
  ]);
  expect(decodeEvent(Buffer.alloc(limits.eventBytes + 1, 32))).toMatchObject({ ok: false, problems: [{ field: '' }] });
});

test('names of the prototype in an event pollute nothing', () => {
  const text = encodeEvent(pull())
    .toString()
    .replace('"data":{', '"__proto__":{"polluted":1},"data":{"__proto__":{"polluted":1},');
  expect(decodeEvent(Buffer.from(text)).ok).toBe(true);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('what is not JSON is refused with the reason', () => {
  expect(decodeEvent(Buffer.from('{"a":'))).toMatchObject({
    ok: false,
    problems: [{ field: '', message: expect.stringContaining('JSON') as string }],
  });
});

test.each(catalogue.map((kind) => [kind.type, kind] as const))(
  'the example of %s is valid and found by its type',
  (type, kind) => {
    expect(checkEvent(createEvent(type, kind.example, { source: 'test' }))).toMatchObject({ ok: true });
    expect(kindOf(type)).toBe(kind);
  },
);

test('the day is the UTC day of the event', () => {
  expect(utcDay(pull({ time: '2026-11-23T23:59:59.999Z' }))).toBe('2026-11-23');
});

test('identifiers that would encode to the same bytes are refused', () => {
  expect(problemsOf(pull({ id: 'a\ud800' }))).toEqual([
    { field: 'id', message: expect.stringContaining('surrogate') as string },
  ]);
  expect(problemsOf(pull({ id: 'a\u{1F40B}' }))).toEqual([]);
});
