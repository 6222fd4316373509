import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEvent } from '@weir/events';
import { temporaryDirectory } from '@weir/testing';
import { statistics } from '../statistics';
import { loadStatistics, textOf } from './load';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let folder: string;
let made = 0;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
beforeEach(async () => {
  folder = join(directory.path, `folder-${(made += 1)}`);
  await mkdir(folder);
});
afterAll(() => directory.remove());

const write = (file: string, text: string) => writeFile(join(folder, file), text);
const load = () => loadStatistics(folder, statistics);

/** A statistic as source text; what `changes` has takes the place of its fields. */
function source(changes: Record<string, string> = {}): string {
  const fields = {
    name: `'logins'`,
    summary: `'Log-ins.'`,
    description: `'One for each.'`,
    measures: `{ logins: { summary: 'A log-in.' } }`,
    dimensions: `{ user: 'Who.', place: 'Where.' }`,
    groups: `[['user'], ['user', 'place']]`,
    increments: `() => [{ measures: { logins: 1 }, dimensions: { user: 'a' } }]`,
    ...changes,
  };
  return `{ ${Object.entries(fields).map(([name, value]) => `${name}: ${value}`).join(', ')} }`; // prettier-ignore
}

test('a file gives a statistic, or several; what is no module is left alone', async () => {
  await write('one.js', `module.exports = ${source()};`);
  await write('two.cjs', `module.exports = { default: [${source({ name: `'a'` })}, ${source({ name: `'b'` })}] };`);
  await write('README.md', 'nothing to run');
  const { cubes, mistakes } = await load();
  expect(mistakes).toEqual([]);
  expect(cubes.map(({ name }) => name)).toEqual(['logins', 'a', 'b']);
  const event = createEvent('io.weir.view', {}, { source: 'test' });
  expect(cubes[0]?.increments(event)).toEqual([{ measures: { logins: 1 }, dimensions: { user: 'a' } }]);
});

test('the version changes with the file, and with what the file says', async () => {
  const versions: (string | undefined)[] = [];
  for (const [at, text] of [source(), source(), source({ version: `'2'` }), `${source()} /* 1 */`].entries()) {
    await mkdir(join(folder, String(at)));
    await writeFile(join(folder, String(at), 'a.js'), `module.exports = ${text};`);
    versions.push((await loadStatistics(join(folder, String(at)), statistics)).cubes[0]?.version);
  }
  expect(versions[0]).toMatch(/^[0-9a-f]{64}$/);
  expect(versions[1]).toBe(versions[0]);
  expect(new Set(versions).size).toBe(3);
});

const many = (count: number) => `Object.fromEntries(Array.from({ length: ${count} }, (_, n) => ['d' + n, 'x']))`;

test.each([
  ['text that is no module', 'module.exports = {', /^bad\.js: .*Unexpected/s],
  ['a module that throws', 'throw new Error("not today")', /^bad\.js: not today$/],
  ['no object', 'module.exports = 7', /^bad\.js: must export a statistic, or a list of them/],
  ['a name with capitals', source({ name: `'Logins'` }), /^bad\.js: name: must be small letters, digits and dashes/],
  ['the name of a built-in one', source({ name: `'sources'` }), /^bad\.js: name: 'sources' is taken by Weir itself$/],
  ['the name of another file', source({ name: `'good'` }), /^good\.js: name: 'good' is taken by bad\.js$/],
  ['a dimension that the API knows', source({ dimensions: `{ from: 'x' }`, groups: '[]' }), /^bad\.js: dimensions\.from: is a word of the API: not one of .*cursor/],
  ['a dimension with a colon', source({ dimensions: `{ 'a:b': 'x' }`, groups: '[]' }), /^bad\.js: dimensions\.a:b: must be letters and digits/],
  ['too many dimensions', source({ dimensions: many(17), groups: '[]' }), /^bad\.js: dimensions: must be at most 16 dimensions$/],
  ['no measure', source({ measures: '{}' }), /^bad\.js: measures: must be 1 to 16 measures$/],
  ['a unit of its own', source({ measures: `{ a: { summary: 'x', unit: 'kg' } }` }), /^bad\.js: measures\.a\.unit: must be 'bytes' or 'ms'/],
  ['a group of what is no dimension', source({ groups: `[['user'], ['city']]` }), /^bad\.js: groups\.1: has 'city', which is none of its dimensions: user, place$/],
  ['an empty group', source({ groups: '[[]]' }), /^bad\.js: groups\.0: must name a dimension: the total is always kept$/],
  ['one group twice', source({ groups: `[['user', 'place'], ['place', 'user']]` }), /^bad\.js: groups\.1: is there twice$/],
  ['the latest of what is no group', source({ latest: `[['place']]` }), /^bad\.js: latest\.0: must be one of its groups, in the same order$/],
  ['half a day', source({ keepDays: '{ hour: 0.5, day: 2 }' }), /^bad\.js: keepDays\.hour: must be a whole number of days$/],
  ['ten thousand days', source({ historyDays: '10000' }), /^bad\.js: historyDays: must be 0 to 3650 days$/],
  ['no function', source({ increments: '1' }), /^bad\.js: increments: must be a function from an event to a list of increments$/],
  ['a word that nothing knows', source({ dimension: '1' }), /^bad\.js: has dimension, which nothing knows; known are name, .*increments$/],
  ['a mistake in a list', `[${source()}, ${source({ name: '1' })}]`, /^bad\.js: 1\.name: must be text$/],
])('%s is a mistake that names file, field and what is allowed, and stops no other file', async (_what, text, message) => {
  await write('bad.js', /^[{[]/.test(text) ? `module.exports = ${text};` : text);
  await write('good.js', `module.exports = ${source({ name: `'good'` })};`);
  const { cubes, mistakes } = await load();
  expect(mistakes.map(textOf)).toEqual([expect.stringMatching(message)]);
  expect(cubes.map(({ name }) => name)).toEqual(['good']);
}); // prettier-ignore

test('every field that is missing is named', async () => {
  await write('empty.js', '');
  const fields = (await load()).mistakes.map(({ field }) => field);
  expect(fields).toEqual(['name', 'summary', 'description', 'measures', 'dimensions', 'groups', 'increments']);
});

test('a folder that is not there is a mistake', async () => {
  const { cubes, mistakes } = await loadStatistics(join(folder, 'nowhere'), statistics);
  expect(cubes).toEqual([]);
  expect(mistakes.map(textOf)).toEqual([expect.stringMatching(/^cannot be read: ENOENT/)]);
});
