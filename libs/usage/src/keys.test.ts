import { formatKey, isCalendarDay, METRICS, parseKey, type UsageKey } from './keys';

/** Reference usage-metrics 1.2: the peer's own vectors. */
const golden: [UsageKey, string][] = [
  [{ metric: 'builds', organization: 'wave' }, 'builds/o/wave'],
  [{ metric: 'builds', organization: 'wave', day: '2024-03-25' }, 'builds/o/wave/d/2024-03-25'],
  [{ metric: 'builds', day: '2024-03-25' }, 'builds/d/2024-03-25'],
  [{ metric: 'pulls', organization: 'wave' }, 'pulls/o/wave'],
  [{ metric: 'pulls', organization: 'wave', day: '2024-03-25' }, 'pulls/o/wave/d/2024-03-25'],
  [{ metric: 'pulls', day: '2024-03-25' }, 'pulls/d/2024-03-25'],
  [{ metric: 'fusion', organization: 'wave' }, 'fusion/o/wave'],
  [{ metric: 'fusion', organization: 'wave', day: '2024-03-25' }, 'fusion/o/wave/d/2024-03-25'],
  [{ metric: 'fusion', day: '2024-03-25' }, 'fusion/d/2024-03-25'],
  [
    { metric: 'builds', organization: 'wave', architecture: 'amd64', day: '2024-03-25' },
    'builds/o/wave/a/amd64/d/2024-03-25',
  ],
  [{ metric: 'builds', architecture: 'arm64', day: '2024-03-25' }, 'builds/a/arm64/d/2024-03-25'],
  [{ metric: 'pulls', organization: 'wave', architecture: 'amd64' }, 'pulls/o/wave/a/amd64'],
  [
    { metric: 'fusion', organization: 'wave', architecture: 'arm64', day: '2024-03-25' },
    'fusion/o/wave/a/arm64/d/2024-03-25',
  ],
  [{ metric: 'builds', organization: 'org1.com', day: '2024-05-30' }, 'builds/o/org1.com/d/2024-05-30'],
  [
    { metric: 'builds', organization: 'org1.com', architecture: 'arm64', day: '2024-05-30' },
    'builds/o/org1.com/a/arm64/d/2024-05-30',
  ],
  [{ metric: 'fusion', day: '2024-04-30' }, 'fusion/d/2024-04-30'],
  [{ metric: 'fusion', architecture: 'amd64', day: '2024-04-30' }, 'fusion/a/amd64/d/2024-04-30'],
];

test.each(golden)('%j is the key %s, and back', (parts, key) => {
  expect(formatKey(parts)).toBe(key);
  expect(parseKey(key)).toEqual(parts);
});

test('every metric has the seven patterns of the grammar', () => {
  const [organization, architecture, day] = ['seqera.io', 'arm', '2024-04-23'];
  for (const metric of METRICS) {
    expect(
      [
        { day },
        { organization },
        { organization, day },
        { architecture },
        { architecture, day },
        { organization, architecture },
        { organization, architecture, day },
      ].map((parts) => formatKey({ metric, ...parts })),
    ).toEqual([
      `${metric}/d/2024-04-23`,
      `${metric}/o/seqera.io`,
      `${metric}/o/seqera.io/d/2024-04-23`,
      `${metric}/a/arm`,
      `${metric}/a/arm/d/2024-04-23`,
      `${metric}/o/seqera.io/a/arm`,
      `${metric}/o/seqera.io/a/arm/d/2024-04-23`,
    ]);
  }
});

test('a key without any part is refused: there is no grand total', () => {
  expect(() => formatKey({ metric: 'pulls' })).toThrow(/needs an organization, an architecture or a day/);
  expect(parseKey('pulls')).toBeUndefined();
});

/** S29 of the reliability reference: names that try to be something else. */
const hostile = [
  'a/d/2024-01-01', 'x/a/amd64', '*', '?[', '{tag}', '\r\nSET x', '.', '..', 'o', 'a', 'd', '%61', '%2F', '%', 'ORG', 'org',
  'münchen', 'xn--mnchen-3ya', 'аpple.com', 'apple.com', '\u0000', '👍', 'a b', 'a+b', 'weir:seen:2024-01-01', 'x'.repeat(10_240),
]; // prettier-ignore

test('no name can make the key of another name, of another pattern or of another metric', () => {
  const made = new Map<string, string>();
  const wrong: unknown[] = []; // one assertion at the end: tens of thousands would be slow
  for (const metric of METRICS) {
    for (const organization of hostile) {
      for (const architecture of [undefined, ...hostile]) {
        for (const day of [undefined, '2024-01-01']) {
          const parts: UsageKey = {
            metric,
            organization,
            ...(architecture === undefined ? {} : { architecture }),
            ...(day === undefined ? {} : { day }),
          };
          const key = formatKey(parts);
          const input = JSON.stringify(parts);
          const alias = made.get(key) ?? input;
          made.set(key, input);
          const back = JSON.stringify(parseKey(key));
          if (alias !== input || back !== input || !/^[a-z0-9._\-/%A-F]+$/.test(key))
            wrong.push({ input, key, alias, back });
        }
      }
    }
  }
  expect(wrong).toEqual([]);
  expect(made.size).toBe(METRICS.length * hostile.length * (hostile.length + 1) * 2);
});

test('parse(format(parts)) is parts, for 20,000 random ones of a fixed seed', () => {
  const random = seeded(20_241_123);
  const alphabet = [...'ao/d%.-_{}*?[]\\ \r\n\u0000ABCxyz019äß漢👍:'];
  const name = () => Array.from({ length: 1 + random(12) }, () => alphabet[random(alphabet.length)]).join('');
  const keys = new Map<string, string>();
  const wrong: unknown[] = [];
  for (let n = 0; n < 20_000; n++) {
    const parts: UsageKey = { metric: METRICS[random(METRICS.length)] ?? 'pulls', day: `20${10 + random(90)}-02-28` };
    if (random(3) > 0) parts.organization = name();
    if (random(3) > 0) parts.architecture = name();
    if ((parts.organization || parts.architecture) && random(2) === 0) delete parts.day;
    const key = formatKey(parts);
    const input = listed(parts);
    const [alias, back] = [keys.get(key) ?? input, listed(parseKey(key))];
    if (alias !== input || back !== input) wrong.push({ input, key, alias, back });
    keys.set(key, input);
  }
  expect(wrong).toEqual([]);
  expect(keys.size).toBeGreaterThan(15_000);
});

test('what format never makes is no key', () => {
  for (const text of [
    '', '/', 'pulls/', 'pull/d/2024-01-01', 'pulls/d/2024-13-45', 'pulls/d/2023-02-29', 'pulls/d/2024-1-1',
    'pulls/o/', 'pulls/o//d/2024-01-01', 'pulls/o/Org', 'pulls/o/%61', 'pulls/o/%2f', 'pulls/o/%', 'pulls/o/%FF',
    'pulls/d/2024-01-01/o/org', 'pulls/a/arm/o/org', 'pulls/o/org/a/arm/d/2024-01-01/x', 'xpulls/o/org', 'pulls/o/org\n',
  ]) expect([text, parseKey(text)]).toEqual([text, undefined]); // prettier-ignore
});

test('an empty name, half a surrogate pair and a day that never was are refused', () => {
  expect(() => formatKey({ metric: 'pulls', organization: '' })).toThrow(/must not be empty/);
  expect(() => formatKey({ metric: 'pulls', organization: 'a\ud800' })).toThrow(/well-formed Unicode/);
  expect(() => formatKey({ metric: 'pulls', day: '2023-02-29' })).toThrow(/not a day of the calendar/);
});

test('a calendar day is one that was or will be', () => {
  expect(['2024-02-29', '2000-02-29', '2024-12-31'].map(isCalendarDay)).toEqual([true, true, true]);
  expect(
    ['2023-02-29', '1900-02-29', '2024-13-45', '2024-00-10', '2024-3-2', ' 2024-03-02'].map(isCalendarDay),
  ).toEqual([false, false, false, false, false, false]);
});

function listed(parts: UsageKey | undefined): string {
  return JSON.stringify([parts?.metric, parts?.organization, parts?.architecture, parts?.day]);
}

/** mulberry32: small, and the same on every machine. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below) | 0;
  };
}
