import type { WeirEvent } from '@weir/events';
import { cloudEvent, sha256 } from './edge.test-support';
import { toEvent } from './envelope';
import { createFirstTime } from './first-time';
import { readerFor } from './items';
import { parseKeys } from './keys';
import { verbatimsOf } from './verbatim';

const [key] = parseKeys(`test:${sha256('secret')}`).keys;
const BATCH = 'application/cloudevents-batch+json';

/** The bodies that are published of a request's body. */
function publishedOf(text: string): string[] {
  if (!key) throw new Error('there is no key');
  const origin = {
    key,
    idempotencyKey: undefined,
    now: new Date(),
    firstTime: createFirstTime(),
    mayName: () => true,
  };
  const { items } = readerFor(BATCH)(Buffer.from(text), {}, 1000);
  return items.map((item, index) => {
    const taken = 'value' in item ? toEvent(item, index, origin) : item;
    return 'body' in taken ? taken.body.toString() : `refused: ${taken.problems[0]?.message}`;
  });
}

const whole = (id: string, more: object = {}) =>
  JSON.stringify(cloudEvent({ id, time: '2026-11-23T06:54:00.000Z', ...more }));

describe('the elements of a batch', () => {
  test.each([
    ['objects', '[{"a":1},{"b":{"c":[{"d":2}]}}]', ['{"a":1}', '{"b":{"c":[{"d":2}]}}'], [1, 3]],
    ['white space', ' [ {"a" : 1 }\n,\t{ } ] ', ['{"a" : 1 }', '{ }'], [1, 0]],
    ['a byte order mark', '\ufeff[{"a":1}]', ['{"a":1}'], [1]],
    ['brackets, colons and quotes in texts', '[{"a}]":"[{:\\""},{"b\\\\":"\\\\"},{"\\\\\\"}":"}"}]',
      ['{"a}]":"[{:\\""}', '{"b\\\\":"\\\\"}', '{"\\\\\\"}":"}"}'], [1, 1, 1]],
    ['texts beyond ASCII', '[{"ä":"\u{1F40B}"},{"\\u007d":"\u2028"}]', ['{"ä":"\u{1F40B}"}', '{"\\u007d":"\u2028"}'], [1, 1]],
    ['a name twice', '[{"a":1,"a":{"b":2}}]', ['{"a":1,"a":{"b":2}}'], [3]],
    ['arrays between objects', '[[],{"a":1},[[{"b":1}]]]', ['[]', '{"a":1}', '[[{"b":1}]]'], [0, 1, 1]],
    ['what has no brackets, left out', '["{}",1,{"a":1},null]', ['{"a":1}'], [1]],
    ['none', '[]', [], []],
    ['no array', '"[{}]"', [], []],
  ])('%s', (_what, text, elements, members) => {
    const found = verbatimsOf(Buffer.from(text));
    expect(found.map(({ bytes }) => bytes.toString())).toEqual(elements);
    expect(found.map((each) => each.members)).toEqual(members);
    expect(JSON.parse(text.replace('\ufeff', ''))).toEqual(expect.arrayContaining(elements.map((each) => JSON.parse(each) as unknown))); // prettier-ignore
  }); // prettier-ignore
});

test('events to which nothing was to be done are published as they were sent', () => {
  const sent = [whole('1'), whole('2', { data: { repository: 'ä', list: [{ a: 1 }, 2] } }).replace(/,/g, ' ,\n')];
  expect(publishedOf(`[${sent.join(',')}]`)).toEqual(sent);
});

test('what stands behind another of its name is neither looked at nor published', () => {
  const sent = whole('1').replace('"data":', '"data":{"password":"hidden"},"data":');
  const nested = whole('2').replace('"data":{', '"data":{"a":{"b":"https://me:hidden@example.com","b":1},');
  const late = `{"id":"first",${whole('3').slice(1)}`;
  const published = publishedOf(`[${[sent, nested, late].join(',')}]`);
  expect(published.map((each) => (JSON.parse(each) as WeirEvent).id)).toEqual(['1', '2', '3']);
  expect(published.join()).not.toMatch(/hidden|first/);
});

test('a name twice is found where something is missing as well', () => {
  const twice = JSON.stringify(cloudEvent({ time: undefined })).replace(
    '"data":',
    '"data":{"password":"hidden"},"data":',
  );
  expect(publishedOf(`[${twice}]`).join()).not.toContain('hidden');
});

test('what was changed is encoded anew', () => {
  const changes: [string, object][] = [
    ['hidden', { data: { repository: 'a', password: 'hidden' } }],
    ['hidden', { subject: 'https://me:hidden@example.com' }],
    ['+01:00', { time: '2026-11-23T06:54:00+01:00' }],
    ['dataschema', { dataschema: null }],
  ];
  const published = publishedOf(`[${changes.map(([, more], at) => whole(String(at), more)).join(',')}]`);
  expect(published.map((each) => (JSON.parse(each) as WeirEvent).id)).toEqual(['0', '1', '2', '3']);
  published.forEach((each, at) => expect(each).not.toContain(changes[at]?.[0]));
});

test('a number beyond all numbers is null', () => {
  const sent = whole('1', { data: { repository: 'a', x: [1, { y: 2 }] } });
  const [published = ''] = publishedOf(`[${sent.replace('"y":2', '"y":-1e999')}]`);
  expect(JSON.parse(published)).toEqual(JSON.parse(sent.replace('"y":2', '"y":null')));
});

test('white space does not make an event too large', () => {
  const sent = whole('1');
  expect(publishedOf(`[${sent.replace('{', `{${' '.repeat(100_000)}`)}]`)).toEqual([sent]);
});

test('a batch with something else between its events is taken all the same', () => {
  const published = publishedOf(`[1,${whole('1')},[],${whole('2')}]`);
  expect(published).toEqual([
    'refused: must be a JSON object',
    whole('1'),
    'refused: must be a JSON object',
    whole('2'),
  ]);
});
