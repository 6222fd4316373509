import { z } from 'zod';
import { catalogue, checkEvent, createEvent } from './index';
import { judgeOf } from './judge';

/** What may stand in a field, and what mostly may not. */
const ODD: readonly unknown[] = [
  undefined, null, '', 'a', 'DE', 'x'.repeat(64), 'x'.repeat(5000), '\n', '\ud800', '\u{1F40B}'.repeat(100), 0, -1, 1.5,
  2 ** 53, NaN, Infinity, true, [], [1], ['linux/amd64'], Array(65).fill('a'), {}, { name: 1 }, { name: 'a' },
  { organization: '' }, { asn: -1 }, 'failed', 'image', `sha256:${'0'.repeat(64)}`,
]; // prettier-ignore

test.each(catalogue.map((kind) => [kind.name, kind] as const))(
  'the judge of %s takes its example, and nothing that the schema does not take',
  (_, { schema, example }) => {
    const judge = judgeOf(schema);
    expect(judge(example)).toBe(true);
    const names = Object.keys((schema as unknown as z.ZodObject).shape);
    const variants = names.flatMap((name) => ODD.map((value) => ({ ...example, [name]: value })));
    const taken = variants.filter(judge);
    expect(taken.filter((variant) => !schema.safeParse(variant).success)).toEqual([]);
    expect(taken.length).toBeGreaterThan(names.length);
    expect(taken.length).toBeLessThan(variants.length);
    expect([null, 'text', [], [example], {}].filter(judge)).toEqual(
      [null, 'text', [], [example], {}].filter((value) => schema.safeParse(value).success),
    );
  },
);

test.each(['specversion', 'id', 'source', 'type', 'time', 'subject', 'datacontenttype', 'dataschema', 'data_base64'])(
  'an odd %s is judged as the schema judges it',
  (name) => {
    const event = createEvent('x', {}, { source: 'test' });
    const refused = ODD.filter((value) => !checkEvent({ ...event, [name]: value }).ok);
    expect(refused).toEqual(expect.arrayContaining([null, '\n', '\ud800', 1.5, true, {}]));
  },
);

test('a keyword that it does not know is left to the schema', () => {
  expect(judgeOf(z.object({ a: z.number().multipleOf(2) }))({ a: 2 })).toBe(false);
  expect(judgeOf(z.strictObject({ a: z.string() }))({ a: 'b' })).toBe(false);
  expect(judgeOf(z.union([z.string(), z.number()]))('a')).toBe(false);
});

test('what JSON Schema cannot say is left to the schema', () => {
  const judge = judgeOf(z.object({ a: z.string().refine((text) => text !== 'x') }));
  expect(judge({ a: 'x' })).toBe(false);
  expect(judge({ a: 'y' })).toBe(false);
});
